"""Colours and lamps of what the camera sees, linear RGB reflectances and radiances."""

from __future__ import annotations

import numpy as np

from . import road
from .bodies import PART, Boxes, Part
from .scenario import SIGNS
from .scene import Scene, turned

ASPHALT, MARKING, PAVING, GRASS = (0.10, 0.10, 0.105), (0.75, 0.75, 0.72), (0.33, 0.31, 0.28), (0.09, 0.19, 0.05)
CARS = np.array([[0.75, 0.75, 0.75], [0.05, 0.05, 0.06], [0.4, 0.42, 0.45], [0.5, 0.04, 0.04], [0.05, 0.12, 0.45],
                 [0.85, 0.84, 0.8]])  # fmt: skip
JACKETS = np.array([[0.8, 0.08, 0.06], [0.06, 0.25, 0.75], [0.85, 0.65, 0.05], [0.05, 0.05, 0.06], [0.7, 0.7, 0.7],
                    [0.6, 0.1, 0.5]])  # fmt: skip
POSTS = np.array([[0.04, 0.12, 0.06], [0.25, 0.25, 0.25], [0.2, 0.13, 0.07], [0.3, 0.28, 0.1]])
WALLS = np.array([[0.35, 0.18, 0.12], [0.45, 0.42, 0.36], [0.3, 0.3, 0.32], [0.5, 0.45, 0.3]])
SKIN, HAIR, TROUSERS = (0.62, 0.38, 0.27), (0.05, 0.035, 0.025), (0.06, 0.07, 0.12)
GLASS, STEEL = (0.04, 0.06, 0.08), (0.3, 0.3, 0.3)
BLUE, WHITE, RED, LEAF = (0.02, 0.12, 0.6), (0.85,) * 3, (0.75, 0.03, 0.03), (0.06, 0.17, 0.04)
RETRO = 4.0  # how much brighter a sign is in the beam it sends back; at night
HEADLAMP, TAIL, BRAKE, AMBER = (2.0, 1.9, 1.6), (0.12, 0.0, 0.0), (1.3, 0.06, 0.03), (1.5, 0.65, 0.02)


def pick(palette: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """A colour of the palette per uniform number on [0, 1)."""
    return palette[np.minimum((uniform * len(palette)).astype(int), len(palette) - 1)]


def ground_colours(layout: road.Layout, s: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Reflectance (…, 3) of the ground at road coordinates."""
    colour = np.where(road.pavement(layout, s, d)[..., None], PAVING, GRASS)
    colour = np.where(road.drivable(layout, s, d)[..., None], ASPHALT, colour)
    return np.where(road.markings(layout, s, d)[..., None], MARKING, colour).astype(np.float32)


def surface_colours(
    scene: Scene, b: np.ndarray, slot: np.ndarray, part: np.ndarray, z: np.ndarray, row: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """Reflectance (N, 3) of N seen points: scene b, slot, part and height z (m) of each, and its pixel."""
    paint = scene.paint[b, slot]
    height = scene.size[b, slot, 2]
    colour = np.empty((len(b), 3), np.float32)
    for which, value in (
        (Part.BODY, pick(CARS, paint)), (Part.CABIN, GLASS), (Part.LEGS, TROUSERS), (Part.TORSO, pick(JACKETS, paint)),
        (Part.HEAD, np.where(scene.facing[b, slot, None], SKIN, HAIR)), (Part.POLE, STEEL), (Part.BUSH, LEAF),
        (Part.POST, pick(POSTS, paint)), (Part.WALL, pick(WALLS, paint)),
    ):  # fmt: skip
        mine = part == which
        colour[mine] = np.broadcast_to(value, colour.shape)[mine]
    plate = part == Part.PLATE
    up = (z / height - 0.68) / 0.32
    first = slot == SIGNS[0]  # a crossing's sign is blue with a white field, the other white with a red rim
    field = np.abs(up - 0.45) < 0.28
    sign = np.where(first[:, None], np.where(field[:, None], WHITE, BLUE), np.where(field[:, None], WHITE, RED))
    back = np.where(scene.weather.light[b] < 0.1, RETRO, 1.0)
    colour[plate] = (sign * back[:, None])[plate]
    rough = 0.85 + 0.3 * np.mod(0.618 * row + 0.414 * column, 1)  # leaves and bricks are not smooth
    coarse = np.isin(part, (Part.BUSH, Part.WALL))
    colour[coarse] *= rough[coarse, None].astype(np.float32)
    return colour


def lamps(
    scene: Scene, box: Boxes, b: np.ndarray, which: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray,
    night: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Radiance (N, 3) of the lamps of vehicles' bodies at N seen points; zero elsewhere.

    Tail, brake and head lamps sit at the corners of the ends, indicators outside of them and on the sides' ends.
    """
    out = np.zeros((len(b), 3), np.float32)
    rows = np.flatnonzero(PART[which] == Part.BODY)
    b, which, night = b[rows], which[rows], night[rows]
    slot = box.slot[which]
    lx, ly = turned(-box.heading[b, which], x[rows] - box.x[b, which], y[rows] - box.y[b, which])
    lx, ly = lx / box.long[b, which], ly / box.wide[b, which]  # 1: the front, and the left side
    low, high = box.bottom[b, which], box.top[b, which]
    band = np.abs((z[rows] - low) / (high - low) - 0.65) < 0.25
    end, corner = np.abs(lx) > 0.97, np.abs(ly) > 0.5
    value = np.zeros((len(rows), 3))
    moves = scene.braking[b, slot] | (np.hypot(scene.vx[b, slot], scene.vy[b, slot]) > 0)
    rear, fore = band & end & corner & (lx < 0), band & end & corner & (lx > 0)
    value[rear & night & moves] = TAIL
    value[rear & scene.braking[b, slot]] = BRAKE
    value[fore & night & moves] = HEADLAMP
    side = scene.indicator[b, slot]
    outer = band & (ly * side > 0.5) & (end | (np.abs(lx) > 0.75))
    value[outer & (side != 0)] = AMBER
    out[rows] = value
    return out
