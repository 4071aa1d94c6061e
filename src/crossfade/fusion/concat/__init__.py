"""Concatenation: of the features (concat, mlp) or of the input tokens (early)."""
