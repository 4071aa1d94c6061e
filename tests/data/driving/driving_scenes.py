"""Scenes made by hand: one vehicle, person or wall at a known place, on a straight road in clear daylight."""

import numpy as np

from crossfade.data.driving import road, scenario
from crossfade.data.driving.scene import Scene
from crossfade.data.driving.weather import CLEAR_RANGE, Weather

VEHICLE, PERSON, SIGN, WALL = 8, 6, 11, 19  # slots of these kinds
FAR = np.array([scenario.FAR])


def generators(count=1, seed=0):
    return [np.random.default_rng([seed, i]) for i in range(count)]


def scene(things=(), rain=0.0, visibility=CLEAR_RANGE, light=1.0, **cues):
    """A batch of one. `things`: (slot, x, y, heading, (vx, vy), (length, width, height)) each."""
    shape = (1, scenario.SLOTS)
    values = {name: np.zeros(shape) for name in ("x", "y", "heading", "vx", "vy")}
    size, there = np.ones((*shape, 3)), np.zeros(shape, bool)
    for slot, x, y, heading, (vx, vy), box in things:
        for name, value in zip(values, (x, y, heading, vx, vy), strict=True):
            values[name][0, slot] = value
        size[0, slot], there[0, slot] = box, True
    layout = road.Layout(
        np.array([road.MIN_CURVATURE]), FAR, np.array([False]), np.array([False]), FAR, np.array([False])
    )
    flags = {name: np.zeros(shape, bool) for name in ("braking", "facing", "striding")}
    given = {"indicator": np.zeros(shape), **flags, **cues}
    pose = np.array([[0.0, -road.LANE / 2, 0.0]])
    weather = Weather(np.array([rain]), np.array([visibility]), np.array([light]))
    return Scene(pose=pose, size=size, there=there, paint=np.full(shape, 0.5), layout=layout, weather=weather,
                 **values, **given)  # fmt: skip
