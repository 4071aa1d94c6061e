"""A trained model and its samples → numbers: metrics, presence patterns, certainty, cost."""
