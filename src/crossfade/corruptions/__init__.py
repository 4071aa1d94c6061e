"""Corruptions: what goes wrong with a modality after training, one class each, in five severities."""
