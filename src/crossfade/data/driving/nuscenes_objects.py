"""What is around the car in one nuScenes key frame: boxes with velocities, and where the objects go."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crossfade.data.driving import frames
from crossfade.data.driving.nuscenes_tables import Annotation, Tables, motion

FUTURE, PERIOD = 6, 0.5  # key frames that a trajectory looks ahead, and s between two of them
LONGEST = 1.5  # s between two key frames that a velocity may be taken from

Object = tuple[str, str, Annotation]  # our class, token, annotation


def objects(tables: Tables, sample: str, classes: Mapping[str, str], unseen: bool) -> list[Object]:
    """The sample's boxes whose category begins with a key of `classes` (the longest such counts).

    Boxes without a lidar or radar point in them are left out unless `unseen`.
    """
    found = []
    for token in tables.boxes.get(sample, ()):
        box = tables.annotations[token]
        begin = max((key for key in classes if box.category.startswith(key)), key=len, default=None)
        if begin is not None and (unseen or box.points > 0):
            found.append((classes[begin], token, box))
    return found


def boxes(tables: Tables, found: list[Object], to_ego: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Class and x, y, length, width (m), heading (rad), vx, vy (m/s over ground) of each object in the ego frame.

    `to_ego` (4, 4): world → ego. Raises Fault where a rotation is none.
    """
    made = []
    for name, token, box in found:
        pose = to_ego @ motion(box.place, box.rotation)
        width, length, _ = box.size
        vx, vy, _ = frames.turned(to_ego, velocity(tables, token)[None])[0]
        made.append((name, np.array([*pose[:2, 3], length, width, frames.heading(pose[:3, :1].T)[0], vx, vy])))
    return made


def trajectories(tables: Tables, found: list[Object], to_ego: np.ndarray) -> np.ndarray:
    """float32 (A, 7, 2): each object's places in the ego frame of now, at 2 Hz; NaN after its last box.

    Where a key frame is missing the places after it would be those of another time: they are NaN too.
    """
    made = []
    for _, _, now in found:
        path = np.full((1 + FUTURE, 3), np.nan)
        box: Annotation | None = now
        for step in range(1 + FUTURE):
            if box is None or abs(box.time - now.time - step * PERIOD) > PERIOD / 2:
                break
            path[step] = box.place
            box = tables.annotations.get(box.after)
        made.append(frames.moved(to_ego, path)[:, :2])
    return np.array(made, dtype=np.float32).reshape(-1, 1 + FUTURE, 2)


def velocity(tables: Tables, token: str) -> np.ndarray:
    """(vx, vy, vz) in m/s of a box in the world frame: the difference of its neighbours over their time.

    Between both neighbours where there are two, else from or to the one. NaN without any, and where they are more
    than `LONGEST` s apart (twice that between two), as in the benchmark (arXiv:1903.11027).
    """
    box = tables.annotations[token]
    first = tables.annotations.get(box.before, box)
    last = tables.annotations.get(box.after, box)
    most = LONGEST * (2 if first is not box and last is not box else 1)
    if first is last or not 0 < last.time - first.time <= most:
        return np.full(3, np.nan)
    return (np.asarray(last.place) - np.asarray(first.place)) / (last.time - first.time)
