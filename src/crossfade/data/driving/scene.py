"""One moment of a batch of drives as the ego vehicle stands in it: what every sensor and every truth is made from.

Axes of ISO 8855: x forward, y to the left, z up, m; the origin is the ego vehicle's rear axle, on the ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import names, road
from .scenario import EGO, KINDS, LEAD, PEDESTRIAN, SLOTS, TURNER, VEHICLES, Interaction, Kind, Scenario
from .simulation import Motion
from .weather import Weather

BRAKE_LIGHT = -0.7  # m/s²: below it the brake lights are on
BLINK, ON = 0.67, 0.7  # s, and the share of it that an indicator is lit (UN regulation 48: 60 to 120 a minute)


@dataclass(frozen=True)
class Scene:
    """All arrays (B, SLOTS) but `pose` (B, 3): the ego's world x, y (m) and heading (rad). Velocities are over ground,
    in the ego's axes. `there` leaves the ego vehicle itself out.

    Cues: `braking` and `indicator` (−1 right, 1 left, 0 dark) of vehicles, `facing` (looks at the traffic, about to
    go) and `striding` of pedestrians.
    """

    pose: np.ndarray
    x: np.ndarray
    y: np.ndarray
    heading: np.ndarray
    vx: np.ndarray
    vy: np.ndarray
    size: np.ndarray  # (B, SLOTS, 3) length, width, height
    there: np.ndarray
    braking: np.ndarray
    indicator: np.ndarray
    facing: np.ndarray
    striding: np.ndarray
    paint: np.ndarray
    layout: road.Layout
    weather: Weather

    def to_road(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ego coordinates (…) that are the same for all, or (B, …) → road coordinates s, d (B, …)."""
        x, y = np.broadcast_arrays(x, y)
        if x.shape[:1] != self.pose.shape[:1] or x.ndim < 2:
            x, y = x[None], y[None]
        px, py, turn = (self.pose[:, k].reshape(-1, *(1,) * (x.ndim - 1)) for k in range(3))
        cos, sin = np.cos(turn), np.sin(turn)
        curvature = self.layout.curvature.reshape(px.shape)
        return road.straighten(curvature, px + cos * x - sin * y, py + sin * x + cos * y)


def look(scenario: Scenario, motion: Motion, weather: Weather, frame: int) -> Scene:
    """The scene at frame `frame`, 0 … `FRAMES` − 1."""
    n = names.now(frame)
    pose = np.stack([motion.x[:, n, EGO], motion.y[:, n, EGO], motion.heading[:, n, EGO]], 1)
    x, y = into(pose, motion.x[:, n], motion.y[:, n])
    vx, vy = turned(-pose[:, 2:], motion.vx[:, n], motion.vy[:, n])
    there = motion.there.copy()
    there[:, EGO] = False
    braking = np.zeros(there.shape, bool)
    braking[:, :VEHICLES] = motion.acceleration[:, n] < BRAKE_LIGHT
    indicator = np.zeros(there.shape)
    indicator[:, TURNER] = np.where(scenario.interaction == Interaction.CROSSER, -1, 1)
    indicator[:, LEAD] = scenario.route
    lit = np.mod(frame * names.BETWEEN * names.STEP / BLINK + 97 * scenario.paint, 1) < ON
    people = np.equal(KINDS, Kind.PEDESTRIAN)
    facing = people & (scenario.paint > 0.7)
    facing[:, PEDESTRIAN] = scenario.goes
    return Scene(
        pose=pose, x=x, y=y, heading=motion.heading[:, n] - pose[:, 2:], vx=vx, vy=vy, size=scenario.size, there=there,
        braking=braking, indicator=indicator * lit, facing=facing, striding=people & (np.hypot(vx, vy) > 0.3),
        paint=scenario.paint, layout=scenario.layout, weather=weather,
    )  # fmt: skip


def into(pose: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World x, y (B, N) in the axes of `pose` (B, 3)."""
    return turned(-pose[:, 2:], x - pose[:, :1], y - pose[:, 1:2])


def turned(angle: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) turned counter-clockwise by `angle`; shapes broadcast."""
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * x - sin * y, sin * x + cos * y


def inside(extent: tuple[float, float, float, float], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Is the point within x_min, x_max, y_min, y_max?"""
    return (x >= extent[0]) & (x < extent[1]) & (y >= extent[2]) & (y < extent[3])


def slots_of(*kinds: Kind) -> np.ndarray:
    """The slots that hold these kinds."""
    return np.flatnonzero(np.isin(KINDS, kinds)) if kinds else np.arange(SLOTS)
