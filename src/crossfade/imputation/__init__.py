"""Imputation: what stands in the place of an absent modality, where it is not masked."""
