"""Fusion strategies T(x₁, …, x_M); `conf/fusion/` is their registry."""
