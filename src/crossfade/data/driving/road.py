"""Road layout: a main road of constant curvature, side roads, a pedestrian crossing, kerbs.

Everything is laid out in road coordinates (s along the main road's centre line, d to its left, m), in which the road is
straight; the world is the plane into which a curvature κ bends them:

    x = (1/κ − d) sin κs,   y = 1/κ − (1/κ − d) cos κs,   heading_world = heading_road + κs

A velocity (ṡ, ḋ) becomes ((1 − κd) ṡ, ḋ) in axes along and across the road. (Frenet coordinates of an arc, as in
Werling et al. 2010, doi:10.1109/ROBOT.2010.5509799.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LANE = 3.5  # m; one lane each way, traffic keeps to the right
KERB = 5.8  # m from the centre line: two lanes and a strip of 2.3 m to park on each side
PAVEMENT = 8.6  # m from the centre line to the pavement's far edge
SIDE = 4.0  # m: half the width of a side road
CORNER = 4.0  # m: radius of the kerb at the corners
ZEBRA = 3.0  # m: width of a crossing along the road
MIN_CURVATURE = 1e-6  # 1/m; a straight road is bent this much, which moves nothing by more than a millimetre


@dataclass(frozen=True)
class Layout:
    """The road of a batch of drives, all (B,)."""

    curvature: np.ndarray  # κ, 1/m, never 0
    junction: np.ndarray  # s of the side roads' centre line
    left: np.ndarray  # bool: is there a side road to the left
    right: np.ndarray
    crossing: np.ndarray  # s of the crossing's centre line
    zebra: np.ndarray  # bool: is there a crossing


def bend(curvature: np.ndarray, s: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Road coordinates → world x, y (m)."""
    radius = 1 / curvature
    return (radius - d) * np.sin(curvature * s), radius - (radius - d) * np.cos(curvature * s)


def straighten(curvature: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World x, y → road coordinates (m); the inverse of `bend` for points nearer than 1/|κ| to the road."""
    sign = np.sign(curvature)
    radius = np.abs(1 / curvature)
    across = radius - sign * y
    s = np.arctan2(x, across) * radius
    return s, sign * (radius - np.hypot(x, across))


def drivable(layout: Layout, s: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Is there carriageway at (s, d)? Both (B, …); the corners of a junction are round."""
    junction, left, right = (_as(v, s) for v in (layout.junction, layout.left, layout.right))
    main = np.abs(d) < KERB
    along, out = np.abs(s - junction), np.abs(d) - KERB
    arm = np.where(d > 0, left, right)
    inner = np.hypot(along - SIDE - CORNER, out - CORNER) > CORNER  # outside of the kerb's circle
    return main | (arm & ((along < SIDE) | ((along < SIDE + CORNER) & (out < CORNER) & inner)))


def pavement(layout: Layout, s: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Is there a pavement at (s, d)? The carriageway takes precedence."""
    return np.abs(d) < PAVEMENT


def on_zebra(layout: Layout, s: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Is (s, d) within the crossing's area?"""
    near = np.abs(s - _as(layout.crossing, s)) < ZEBRA / 2
    return near & (np.abs(d) < KERB) & _as(layout.zebra, s)


def markings(layout: Layout, s: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Is (s, d) painted: dashed centre line, the parking strips' edges, the crossing's bars?"""
    side_road = np.abs(s - _as(layout.junction, s)) < SIDE + 1
    side_road &= _as(layout.left | layout.right, s)
    centre = (np.abs(d) < 0.15) & (np.mod(s, 6.0) < 3.0)
    edge = np.abs(np.abs(d) - LANE) < 0.1
    bars = on_zebra(layout, s, d) & (np.mod(d, 1.0) < 0.5)
    return bars | ((centre | edge) & ~side_road & ~on_zebra(layout, s, d))


def _as(value: np.ndarray, like: np.ndarray) -> np.ndarray:
    return value.reshape(value.shape + (1,) * (like.ndim - value.ndim))
