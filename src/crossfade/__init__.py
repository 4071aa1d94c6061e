"""Crossfade: multimodal fusion experiments that can be trusted.

The formula is the name: z = α·E_I(I) + (1 − α)·E_T(T), ŷ = h(z). Nothing heavy is imported here.
"""

__version__ = "0.1.0"
