"""The audit: properties that a fusion must have for its results to mean anything, checked on any model."""
