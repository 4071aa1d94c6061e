"""Crossfade: multimodal fusion experiments that can be trusted.

The formula is the name: z = α·E_I(I) + (1 − α)·E_T(T), ŷ = h(z). Nothing heavy is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossfade.sweeps.load import load_sweep

__all__ = ["__version__", "load_sweep"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "load_sweep":
        from crossfade.sweeps.load import load_sweep

        return load_sweep
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
