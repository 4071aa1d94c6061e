"""Element by element: weighted, adaptive, sum, mean, max, product.

Each works per token position k on the modalities whose token is there; a position without any stays masked.
"""
