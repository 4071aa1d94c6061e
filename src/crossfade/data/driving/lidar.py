"""A scanning lidar: the nearest surface on every ray, the power that comes back, drops that send some back early.

    P ∝ ρ cos θ · exp(−2 β r) / r²,   a point where P > P_min

(the lidar equation for targets larger than the beam: Hahner et al. 2021, arXiv:2108.05249, section 3), ρ the
reflectivity, θ the angle of incidence, β the extinction of `weather`. Rain of rate R also blurs the range:
σ = 0.02 r (1 − e^(−R))² (Goodin et al. 2019, doi:10.3390/electronics8010089). Returns from the ground are left out, as
a driver's ground filter does. Distances in m, angles in rad.
"""

from __future__ import annotations

import numpy as np

from crossfade.data.synthetic.draws import normals

from .bodies import PART, SLOT, Part, boxes, meet
from .scene import Scene, inside

MOUNT_X, HEIGHT = 0.8, 1.8  # m, from the rear axle and the ground
AZIMUTHS = np.deg2rad(np.linspace(75, -75, 121))
ELEVATIONS = np.deg2rad([-11, -8.5, -6.5, -5, -3.8, -2.8, -1.9, -1.0, 0.0, 1.5])
WEAKEST = 0.1 / 60**2  # P_min: a dark surface of ρ = 0.1 is seen at 60 m on a clear day
RANGE_SD, INTENSITY_SD, DROPOUT = 0.03, 0.03, 0.03  # m; of the reflectivity; share of rays
BACKSCATTER = 0.8  # m: × β is the chance that drops near the sensor answer first
RHO = {Part.BODY: (0.15, 0.6), Part.CABIN: (0.08, 0.15), Part.LEGS: (0.2, 0.4), Part.TORSO: (0.2, 0.5),
       Part.HEAD: (0.3, 0.4), Part.POLE: (0.3, 0.4), Part.PLATE: (0.9, 1.0), Part.BUSH: (0.2, 0.45),
       Part.POST: (0.15, 0.5), Part.WALL: (0.25, 0.5)}  # fmt: skip
_LOW, _HIGH = np.array([RHO[Part(p)] for p in PART]).T


def cast(scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Range (m, inf: nothing), number of the box and cos of the incidence, of every ray: (B, E, A)."""
    box = boxes(scene)
    hits = meet(box, (MOUNT_X, 0.0), np.cos(AZIMUTHS), np.sin(AZIMUTHS))
    up = np.tan(ELEVATIONS).astype(np.float32)[:, None]
    shape = (len(scene.x), len(ELEVATIONS), len(AZIMUTHS))
    ground = np.full(shape, np.inf, np.float32)  # distance along the ground
    number, cosine = np.zeros(shape, np.int8), np.ones(shape, np.float32)
    turn = AZIMUTHS - box.heading[..., None]
    face = np.where(hits.end, np.abs(np.cos(turn)), np.abs(np.sin(turn))).astype(np.float32)
    for p in range(len(PART)):
        rows = np.flatnonzero(np.isfinite(hits.enter[:, p]).any(-1))
        if not len(rows):
            continue
        enter, leave = hits.enter[rows, p][:, None], hits.leave[rows, p][:, None]
        low, high = (v[rows, p, None, None].astype(np.float32) - HEIGHT for v in (box.bottom, box.top))
        with np.errstate(invalid="ignore", divide="ignore"):
            z, z_out = enter * up, leave * up
            side = (z >= low) & (z <= high)
            roof = (z > high) & (z_out < high)
            at = np.where(side, enter, np.where(roof, high / up, np.inf))
        nearer = at < ground[rows]
        ground[rows] = np.where(nearer, at, ground[rows])
        number[rows] = np.where(nearer, np.int8(p), number[rows])
        tilt = np.broadcast_to(face[rows, p][:, None], at.shape)
        steep = np.abs(np.sin(ELEVATIONS)).astype(np.float32)[:, None]
        cosine[rows] = np.where(nearer, np.where(side, tilt, steep), cosine[rows])
    cosine[np.isin(PART, (Part.BUSH, Part.LEGS, Part.TORSO, Part.HEAD))[number]] = 1.0  # rough all around
    return ground / np.cos(ELEVATIONS).astype(np.float32)[:, None], number, cosine


def scan(
    scene: Scene, extent: tuple[float, float, float, float], noise: float, rngs: list[np.random.Generator]
) -> list[np.ndarray]:
    """Points of each scene, float32 (N, 4): x, y, z (m, ego's axes), intensity in [0, 1]; those within `extent`."""
    distance, number, cosine = cast(scene)
    shape = distance.shape[1:]
    jitter, shade = normals(rngs, shape), normals(rngs, shape)
    chance, early, where = (np.stack([rng.random(shape, dtype=np.float32) for rng in rngs]) for _ in range(3))
    beta = scene.weather.extinction.astype(np.float32)[:, None, None]
    rain = scene.weather.rain.astype(np.float32)[:, None, None]
    rows = np.arange(len(distance))[:, None, None]
    rho = (_LOW + (_HIGH - _LOW) * scene.paint[:, SLOT]).astype(np.float32)[rows, number]
    with np.errstate(over="ignore", invalid="ignore"):
        fade = np.exp(-2 * beta * distance)
        seen = rho * np.maximum(cosine, 0.05) * fade / distance**2 > WEAKEST
    seen &= chance > DROPOUT * noise
    intensity = np.where(seen, rho * fade, 0)
    blur = RANGE_SD + 0.02 * np.where(seen, distance, 0) * (1 - np.exp(-rain)) ** 2
    measured = np.where(seen, distance, 0) + noise * blur * jitter
    drops = early < BACKSCATTER * beta * min(noise, 1.0)
    nearest = np.minimum(np.where(np.isfinite(distance), distance, 12.0), 12.0)
    measured = np.where(drops, 1.5 + (nearest - 1.5) * where**2, measured)
    intensity = np.clip(np.where(drops, 0.05, intensity) + noise * INTENSITY_SD * shade, 0, 1)
    cos = np.cos(ELEVATIONS).astype(np.float32)[:, None]
    x = MOUNT_X + measured * cos * np.cos(AZIMUTHS).astype(np.float32)
    y = measured * cos * np.sin(AZIMUTHS).astype(np.float32)
    z = HEIGHT + measured * np.sin(ELEVATIONS).astype(np.float32)[:, None]
    keep = (seen | drops) & inside(extent, x, y)
    points = np.stack([x, y, z, intensity], -1).astype(np.float32)
    return [p[k] for p, k in zip(points, keep, strict=True)]
