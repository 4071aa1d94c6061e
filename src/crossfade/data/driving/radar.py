"""A forward radar: few reflections, coarse in angle, with the radial velocity; weather and light change nothing.

    SNR (dB) = `SNR_0` + σ (dBsm) − 40 log₁₀(r / 20 m),   a point where SNR > 13 dB

(the radar equation: Richards 2014, Fundamentals of Radar Signal Processing, chapter 2), the cross section σ
of a reflection fluctuating as an exponential (Swerling 1). The radial velocity of a target with velocity v over ground,
seen in the direction r̂ from the sensor, is

    v_r = v · r̂          (m/s, > 0: going away)

with the ego's own motion taken off, as such sensors do. Through a vehicle that stands in the way 12 dB are lost (waves
find their way beneath), through a wall all. A radar without an antenna row in height says nothing of z: it is the
sensor's height.
"""

from __future__ import annotations

import numpy as np

from .bodies import Boxes, meet
from .scenario import KINDS, SLOTS, Kind
from .scene import Scene, inside, turned

MOUNT_X, HEIGHT = 3.6, 0.5  # m, from the rear axle and the ground
FIELD = np.deg2rad(60)  # to each side
NEAREST = 1.0  # m
SNR_0, THRESHOLD = 25.0, 13.0  # dB, of 0 dBsm at 20 m
BEHIND_VEHICLE, BEHIND_WALL = 12.0, 60.0  # dB
RANGE_SD, AZIMUTH_SD, VELOCITY_SD, RCS_SD = 0.25, np.deg2rad(2.0), 0.12, 1.0  # m, rad, m/s, dB
ASPECT_SD = 3.0  # dB: `RCS` (dBsm) is the mean over targets and aspects, which differ by so much
FALSE_ALARMS = 1.5  # a scan, on average; their velocity has sd 0.5 m/s
MOST_FALSE = 12
RCS = {Kind.VEHICLE: 6.0, Kind.PEDESTRIAN: -4.0, Kind.SIGN: 1.0, Kind.BUSH: -5.0, Kind.POST: -4.0, Kind.WALL: 4.0}
REFLECTIONS = {Kind.VEHICLE: 3, Kind.PEDESTRIAN: 2, Kind.SIGN: 1, Kind.BUSH: 1, Kind.POST: 1, Kind.WALL: 3}

SLOT = np.array([slot for slot in range(SLOTS) for _ in range(REFLECTIONS[Kind(KINDS[slot])])])
MEAN = np.array([RCS[Kind(KINDS[slot])] for slot in SLOT])
BLOCKERS = np.flatnonzero(np.isin(KINDS, (Kind.VEHICLE, Kind.WALL)))


def radial_velocity(x: np.ndarray, y: np.ndarray, vx: np.ndarray, vy: np.ndarray) -> np.ndarray:
    """v · r̂ (m/s) of points at (x, y) m in the ego's axes that move with (vx, vy) m/s over ground."""
    dx = x - MOUNT_X
    return (vx * dx + vy * y) / np.maximum(np.hypot(dx, y), 1e-9)


def scan(
    scene: Scene, extent: tuple[float, float, float, float], noise: float, rngs: list[np.random.Generator]
) -> list[np.ndarray]:
    """Points of each scene, float32 (N, 5): x, y, z (m, ego's axes), radial velocity (m/s), cross section (dBsm);
    those within `extent`. N may be 0."""
    count = len(SLOT)
    u = np.stack([rng.random((3, count)) for rng in rngs])
    g = np.stack([rng.standard_normal((4, count)) for rng in rngs]) * noise
    x, y = _reflections(scene, u[:, 0], u[:, 1])
    dx = x - MOUNT_X
    distance, azimuth = np.hypot(dx, y), np.arctan2(y, dx)
    aspect = ASPECT_SD * np.stack([rng.standard_normal(SLOTS) for rng in rngs])[:, SLOT]
    rcs = MEAN + aspect + 10 * np.log10(-np.log1p(-u[:, 2]) + 1e-6)
    snr = SNR_0 + rcs - 40 * np.log10(np.maximum(distance, NEAREST) / 20) - _loss(scene, dx, y)
    seen = scene.there[:, SLOT] & (snr > THRESHOLD) & (np.abs(azimuth) < FIELD) & (distance > NEAREST)
    velocity = radial_velocity(x, y, scene.vx[:, SLOT], scene.vy[:, SLOT])
    distance, azimuth = distance + RANGE_SD * g[:, 0], azimuth + AZIMUTH_SD * g[:, 1]
    points = np.stack(
        [MOUNT_X + distance * np.cos(azimuth), distance * np.sin(azimuth), np.full_like(distance, HEIGHT),
         velocity + VELOCITY_SD * g[:, 2], rcs + RCS_SD * g[:, 3]], -1
    )  # fmt: skip
    false, real = _false_alarms(noise, rngs)
    points, seen = np.concatenate([points, false], 1).astype(np.float32), np.concatenate([seen, real], 1)
    seen &= inside(extent, points[..., 0], points[..., 1])
    return [p[k] for p, k in zip(points, seen, strict=True)]


def _reflections(scene: Scene, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where waves are reflected, ego's axes (B, R): at random on the face that looks most at the radar."""
    heading = scene.heading[:, SLOT]
    half_x, half_y = scene.size[:, SLOT, 0] / 2, scene.size[:, SLOT, 1] / 2
    sx, sy = turned(-heading, MOUNT_X - scene.x[:, SLOT], -scene.y[:, SLOT])
    end = np.abs(sx) * half_y > np.abs(sy) * half_x
    lx = np.where(end, np.sign(sx), 1.8 * a - 0.9) * half_x
    ly = np.where(end, 1.8 * b - 0.9, np.sign(sy)) * half_y
    px, py = turned(heading, lx, ly)
    return scene.x[:, SLOT] + px, scene.y[:, SLOT] + py


def _loss(scene: Scene, dx: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dB lost in what stands between the sensor and each reflection (B, R)."""
    some = scene.x[:, BLOCKERS]
    box = Boxes(
        some, scene.y[:, BLOCKERS], scene.heading[:, BLOCKERS], scene.size[:, BLOCKERS, 0] / 2,
        scene.size[:, BLOCKERS, 1] / 2, some, some, scene.there[:, BLOCKERS], BLOCKERS, BLOCKERS,
    )  # fmt: skip
    hits = meet(box, (MOUNT_X, 0.0), dx[:, None], y[:, None])
    before = (hits.enter < 0.98) & (BLOCKERS[:, None] != SLOT)  # 1: the reflection itself
    dB = np.where(KINDS[BLOCKERS] == Kind.WALL, BEHIND_WALL, BEHIND_VEHICLE)
    return (before * dB[:, None]).sum(1)


def _false_alarms(noise: float, rngs: list[np.random.Generator]) -> tuple[np.ndarray, np.ndarray]:
    """Points (B, MOST_FALSE, 5) that are none, and how many of them there are as a mask."""
    number = np.array([rng.poisson(FALSE_ALARMS * noise) for rng in rngs])
    u = np.stack([rng.random((4, MOST_FALSE)) for rng in rngs])
    v = np.stack([rng.standard_normal(MOST_FALSE) for rng in rngs])
    distance, azimuth = 2 + 40 * u[:, 0], FIELD * (2 * u[:, 1] - 1)
    points = np.stack(
        [MOUNT_X + distance * np.cos(azimuth), distance * np.sin(azimuth), np.full_like(distance, HEIGHT), 0.5 * v,
         -12 + 12 * u[:, 2]], -1
    )  # fmt: skip
    return points, np.arange(MOST_FALSE) < number[:, None]
