"""Cores h: fused tokens → the representation that the heads read."""
