"""From a checked config and prepared data to weights in a run's folder."""
