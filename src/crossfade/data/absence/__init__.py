"""Protocols of absence: which modalities are hidden from training on purpose, beside those that the source lacks."""
