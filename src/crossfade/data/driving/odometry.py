"""The ego vehicle's own motion, as its wheels and gyroscope tell it."""

from __future__ import annotations

import numpy as np

from crossfade.data.synthetic.draws import normals

from . import names
from .scenario import EGO
from .simulation import Motion

COLUMNS = ("speed", "yaw_rate", "acceleration")  # m/s, rad/s, m/s²
SD = np.array([0.1, 0.01, 0.15], np.float32)


def truth(motion: Motion, frame: int) -> np.ndarray:
    """Speed, yaw rate and acceleration over the last 2 s at 10 Hz, the present last: float32 (B, HISTORY, 3)."""
    now = names.now(frame)
    steps = slice(now - names.HISTORY + 1, now + 1)
    speed = np.hypot(motion.vx[..., EGO], motion.vy[..., EGO])
    heading = np.unwrap(motion.heading[..., EGO], axis=1)
    yaw_rate = np.gradient(heading, names.STEP, axis=1)
    series = np.stack([speed, yaw_rate, motion.acceleration[..., EGO]], -1)
    return series[:, steps].astype(np.float32)


def measure(motion: Motion, frame: int, noise: float, rngs: list[np.random.Generator]) -> np.ndarray:
    """`truth` with the sensors' white noise."""
    series = truth(motion, frame)
    return series + noise * SD * normals(rngs, series.shape[1:])
