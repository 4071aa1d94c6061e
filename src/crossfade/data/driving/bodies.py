"""What stands in a scene as upright boxes, and where rays in the plane meet them.

A vehicle is a body and a cabin, a person legs, torso and head, a sign a pole and a plate; bushes, posts and walls are
one box each. Camera and lidar see the same boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from .scenario import EGO, KINDS, Kind
from .scene import Scene, turned


class Part(IntEnum):
    BODY, CABIN, LEGS, TORSO, HEAD, POLE, PLATE, BUSH, POST, WALL = range(10)


@dataclass(frozen=True)
class Boxes:
    """P boxes of each of B scenes: centre x, y and heading in the ego's axes, half-length, half-width, bottom and top
    z (m), (B, P); `there` (B, P); the slot and part of each, (P,)."""

    x: np.ndarray
    y: np.ndarray
    heading: np.ndarray
    long: np.ndarray
    wide: np.ndarray
    bottom: np.ndarray
    top: np.ndarray
    there: np.ndarray
    slot: np.ndarray
    part: np.ndarray


# part → share of the slot's length and width, its bottom and top as shares of the height, shift along (of the length)
VEHICLE = {Part.BODY: (1.0, 1.0, 0.14, 0.58, 0.0), Part.CABIN: (0.55, 0.88, 0.58, 1.0, -0.06)}
PERSON = {Part.LEGS: (0.6, 0.55, 0.0, 0.48, 0.0), Part.TORSO: (0.55, 0.85, 0.48, 0.85, 0.0),
          Part.HEAD: (0.42, 0.4, 0.85, 1.0, 0.0)}  # fmt: skip
SIGN = {Part.POLE: (0.8, 0.13, 0.0, 0.68, 0.0), Part.PLATE: (1.0, 1.0, 0.68, 1.0, 0.0)}
WHOLE = (1.0, 1.0, 0.0, 1.0, 0.0)
BUILD = {Kind.VEHICLE: VEHICLE, Kind.PEDESTRIAN: PERSON, Kind.SIGN: SIGN,
         Kind.BUSH: {Part.BUSH: WHOLE}, Kind.POST: {Part.POST: WHOLE}, Kind.WALL: {Part.WALL: WHOLE}}  # fmt: skip

_ROWS = [(slot, part, *how) for slot, k in enumerate(KINDS) if slot != EGO for part, how in BUILD[Kind(k)].items()]
SLOT = np.array([row[0] for row in _ROWS])
PART = np.array([row[1] for row in _ROWS])
_LONG, _WIDE, _BOTTOM, _TOP, _SHIFT = np.array([row[2:] for row in _ROWS]).T


def boxes(scene: Scene) -> Boxes:
    """All boxes of the scenes; a striding person's legs are apart."""
    length, width, height = np.moveaxis(scene.size[:, SLOT], -1, 0)
    heading = scene.heading[:, SLOT]
    stride = np.where((PART == Part.LEGS) & scene.striding[:, SLOT], 1.6, 1.0)
    return Boxes(
        x=scene.x[:, SLOT] + np.cos(heading) * _SHIFT * length,
        y=scene.y[:, SLOT] + np.sin(heading) * _SHIFT * length,
        heading=heading, long=length * _LONG * stride / 2, wide=width * _WIDE / 2,
        bottom=height * _BOTTOM, top=height * _TOP, there=scene.there[:, SLOT], slot=SLOT, part=PART,
    )  # fmt: skip


@dataclass(frozen=True)
class Hits:
    """Where rays in the plane enter and leave boxes: multiples of the ray's direction (inf, −inf: they miss it), and
    whether they enter through an end (across the box's length) rather than a side. (B, P, C)."""

    enter: np.ndarray
    leave: np.ndarray
    end: np.ndarray


def meet(box: Boxes, origin: tuple[float, float], dx: np.ndarray, dy: np.ndarray) -> Hits:
    """Rays from `origin` (x, y) in directions (dx, dy), (C,) or (B, P, C), against boxes, float32 (B, P, C).

    The slab method of Kay and Kajiya 1986, doi:10.1145/15922.15916, in the box's own axes.
    """
    heading = box.heading[..., None]
    ox, oy = turned(-heading, origin[0] - box.x[..., None], origin[1] - box.y[..., None])
    ux, uy = turned(-heading.astype(np.float32), dx.astype(np.float32), dy.astype(np.float32))
    ux, uy = (np.where(np.abs(u) < 1e-7, np.float32(1e-7), u) for u in (ux, uy))
    ox, oy = ox.astype(np.float32), oy.astype(np.float32)
    half_x, half_y = box.long[..., None].astype(np.float32), box.wide[..., None].astype(np.float32)
    middle_x, middle_y, spread_x, spread_y = -ox / ux, -oy / uy, half_x / np.abs(ux), half_y / np.abs(uy)
    near_x, near_y = middle_x - spread_x, middle_y - spread_y
    enter = np.maximum(near_x, near_y)
    leave = np.minimum(middle_x + spread_x, middle_y + spread_y)
    miss = (leave <= enter) | (enter <= 0) | ~box.there[..., None]
    return Hits(np.where(miss, np.float32(np.inf), enter), np.where(miss, np.float32(-np.inf), leave), near_x > near_y)
