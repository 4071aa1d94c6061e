"""Regions of the lesion on the axial slice, from which the patterns of CT and MRI are painted."""

from __future__ import annotations

import numpy as np

from .anatomy import Slice, soft

# pattern → [(region, what is painted there), …] in painting order
Recipe = dict[str, list[tuple[str, str]]]


def region(name: str, scene: Slice, rows: np.ndarray) -> np.ndarray:
    """Soft mask (R, H, W) of a region of the lesion, for the patients `rows` of the batch.

    whole    all of it                      core     inside the rim, up to 0.62 of the radius
    nodules  three clumps along the margin  scar     three thin arms from the centre
    """
    r, theta, pixel = scene.r[rows], scene.theta[rows], scene.pixel[rows]
    whole = soft((1 - r) / pixel) * scene.liver[rows]
    if name == "whole":
        return whole
    if name == "core":
        return soft((np.float32(0.62) - r) / pixel)
    if name == "nodules":
        clumps = np.clip(np.float32(0.6) + 2 * np.cos(3 * theta), 0, 1)
        return whole * clumps * (1 - soft((np.float32(0.50) - r) / pixel))
    if name == "scar":
        arms = soft((np.float32(0.15) - r * np.abs(np.sin(np.float32(1.5) * theta))) / pixel)
        return arms * soft((np.float32(0.72) - r) / pixel)
    raise ValueError(f"no region of the lesion is called {name!r}")


def paint(image: np.ndarray, mask: np.ndarray, value: np.ndarray) -> None:
    """image ← (1 − mask) · image + mask · value, in place; `value` (B,) per patient."""
    image += mask * (value.astype(np.float32)[:, None, None] - image)
