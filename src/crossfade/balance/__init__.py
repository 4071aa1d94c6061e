"""Balancing: what keeps one modality from doing all the learning; combines with any fusion strategy."""
