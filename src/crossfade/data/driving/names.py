"""The words of the built-in drives: modalities, classes, intentions, time steps."""

from __future__ import annotations

MODALITIES = ("camera", "lidar", "radar", "map", "ego")
KINDS = {"camera": "image", "lidar": "points", "radar": "points", "map": "image", "ego": "series"}
CHANNELS = {"camera": 3, "lidar": 4, "radar": 5, "map": 4}  # of images; columns of points
UNITS: dict[str, str | dict[str, str]] = {
    "camera": "1",
    "lidar": {"x": "m", "y": "m", "z": "m", "intensity": "1"},
    "radar": {"x": "m", "y": "m", "z": "m", "velocity": "m/s", "rcs": "dBsm"},
    "map": "1",
    "ego": {"speed": "m/s", "yaw_rate": "rad/s", "acceleration": "m/s²"},
}
TARGETS = {
    "perception": "detection",
    "presence": "multilabel",
    "behaviour": "trajectories",
    "intention": "multiclass",
    "planning": "plan",
}
CLASSES = ("pedestrian", "vehicle", "sign")
INTENTIONS = ("clear", "crossing", "waiting", "turning", "yielding", "braking")

STEP = 0.1  # s between two states of the simulation, and two rows of the ego series
HISTORY = 20  # rows of the ego series: 2 s
BETWEEN = 5  # steps between two frames of a drive: 0.5 s
FUTURE, STRIDE = 6, 5  # waypoints, and steps between two of them: 3 s at 2 Hz
FRAMES = 4  # most frames of a drive; so much is always simulated, whatever is asked for
STEPS = HISTORY + (FRAMES - 1) * BETWEEN + FUTURE * STRIDE + 1  # states of a drive
EGO_SIZE = (4.5, 1.9, 1.6)  # m: length, width, height
REAR = 1.25  # m: how far the origin, the rear axle, lies behind the centre of the body

STREAMS = {"drive": 0, "camera": 1, "lidar": 2, "radar": 3, "map": 4, "ego": 5, "missing": 6, "decoy": 7, "shown": 8}


def now(frame: int) -> int:
    """The index of frame `frame`'s moment among the simulated states."""
    return HISTORY + frame * BETWEEN
