"""Frames of reference: rigid motions between sensors, the ego vehicle and the world.

The ego frame is that of ISO 8855: x forward, y left, z up, in m; origin: the rear axle's middle, projected to the
ground. Headings in rad, counter-clockwise from x, in [−π, π).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crossfade.data.readers import Fault


def rotation(quaternion: Sequence[float]) -> np.ndarray:
    """The rotation (3, 3) of a quaternion w, x, y, z. Raises Fault where its length is not 1 (within 1 %)."""
    q = np.asarray(quaternion, dtype=np.float64)
    length = float(np.linalg.norm(q)) if q.shape == (4,) else np.nan
    if not abs(length - 1) < 0.01:
        raise Fault(f"{list(quaternion)} is no rotation: expected a quaternion w, x, y, z of length 1")
    w, x, y, z = q / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def rigid(turn: np.ndarray, shift: Sequence[float] | np.ndarray) -> np.ndarray:
    """The motion p → turn·p + shift as a matrix (4, 4)."""
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = turn, shift
    return motion


def inverse(motion: np.ndarray) -> np.ndarray:
    """The motion back."""
    back = motion[:3, :3].T
    return rigid(back, -back @ motion[:3, 3])


def moved(motion: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (N, 3) under a motion."""
    return points @ motion[:3, :3].T + motion[:3, 3]


def turned(motion: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Directions or velocities (N, 3): turned, not shifted."""
    return directions @ motion[:3, :3].T


def heading(directions: np.ndarray) -> np.ndarray:
    """Angle (N,) in the x-y plane of directions (N, 3)."""
    return wrapped(np.arctan2(directions[:, 1], directions[:, 0]))


def wrapped(angle: np.ndarray) -> np.ndarray:
    """Angles in [−π, π)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
