"""Do two turned rectangles touch? The separating axis theorem, for whole drives at once."""

from __future__ import annotations

import numpy as np

from . import names
from .scenario import EGO, KINDS, Kind

EVERY = 2  # steps between two looks
MARGIN = 0.1  # m that a body is thought larger on every side, for what happens between two looks


def overlap(
    x: np.ndarray, y: np.ndarray, heading: np.ndarray, long: np.ndarray, wide: np.ndarray,
    x2: np.ndarray, y2: np.ndarray, heading2: np.ndarray, long2: np.ndarray, wide2: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Whether rectangles with these centres (m), headings (rad) and half-sizes (m) overlap; shapes broadcast.

    They do unless one of the four directions of their sides separates them: the distance of the centres along it is
    larger than the sum of the half-extents along it (Gottschalk et al. 1996, doi:10.1145/237170.237244).
    """
    dx, dy = x2 - x, y2 - y
    c, s = np.cos(heading2 - heading), np.sin(heading2 - heading)
    c, s = np.abs(c), np.abs(s)
    cos, sin = np.cos(heading), np.sin(heading)
    cos2, sin2 = np.cos(heading2), np.sin(heading2)
    apart = np.abs(dx * cos + dy * sin) > long + long2 * c + wide2 * s
    apart |= np.abs(dy * cos - dx * sin) > wide + long2 * s + wide2 * c
    apart |= np.abs(dx * cos2 + dy * sin2) > long2 + long * c + wide * s
    apart |= np.abs(dy * cos2 - dx * sin2) > wide2 + long * s + wide * c
    return ~apart


def first_collisions(
    x: np.ndarray, y: np.ndarray, heading: np.ndarray, size: np.ndarray, there: np.ndarray, movers: int
) -> np.ndarray:
    """Who has to go (B, SLOTS): the later slot of every two that touch, of whom the first is a mover.

    x, y, heading (B, STEPS, SLOTS) world, size (B, SLOTS, 3), there (B, SLOTS).
    """
    bodies = np.flatnonzero((KINDS == Kind.VEHICLE) | (KINDS == Kind.PEDESTRIAN))
    x, y, heading = (v[:, ::EVERY][..., bodies].copy() for v in (x, y, heading))
    x[..., EGO] += names.REAR * np.cos(heading[..., EGO])
    y[..., EGO] += names.REAR * np.sin(heading[..., EGO])
    half = size[:, None, bodies, :2] / 2 + MARGIN
    here = there[:, bodies]
    go = np.zeros_like(here)
    reach = np.hypot(half[..., 0], half[..., 1])
    for a in range(movers):
        near = np.hypot(x - x[..., a, None], y - y[..., a, None]) < reach + reach[..., a, None]  # (B, T, bodies)
        near &= (here & here[:, a, None])[:, None]
        near[..., : a + 1] = False
        b, t, other = np.nonzero(near)
        touch = overlap(
            x[b, t, a], y[b, t, a], heading[b, t, a], half[b, 0, a, 0], half[b, 0, a, 1],
            x[b, t, other], y[b, t, other], heading[b, t, other], half[b, 0, other, 0], half[b, 0, other, 1],
        )  # fmt: skip
        go[b[touch], other[touch]] = True
    out = np.zeros_like(there)
    out[:, bodies] = go
    return out
