"""A forward pinhole camera: what hides what, light, fog, rain, noise.

A point (x, y, z) in the ego's axes, X = x − `MOUNT_X` ahead of the camera, falls on column and row

    u = S/2 · (1 − (y/X) / `TAN_SIDE`),   v = S · (`TAN_UP` − (z − `HEIGHT`)/X) / (`TAN_UP` + `TAN_DOWN`)

of a square image of S × S pixels (80° × 40°: the rows are finer than the columns). The nearest box on a pixel's ray is
seen, else the ground, else the sky. Its radiance is albedo × light + own lamps; on the way

    L = L₀ exp(−βX) + A (1 − exp(−βX))

(airlight A: Koschmieder 1924; as in Narasimhan and Nayar 2002, doi:10.1023/A:1016328200723). The exposure makes
up for the dark, and so amplifies the noise, whose variance is a·L + b (Foi et al. 2008, doi:10.1109/TIP.2008.2001399,
section II). Values are sRGB-like, L^(1/2.2), in [0, 1].
"""

from __future__ import annotations

import numpy as np

from crossfade.data.synthetic.draws import normals

from .bodies import PART, SLOT, Boxes, boxes, meet
from .paint import ground_colours, lamps, surface_colours
from .scene import Scene

MOUNT_X, HEIGHT = 1.5, 1.4  # m, from the rear axle and the ground
TAN_SIDE, TAN_UP, TAN_DOWN = 0.84, 0.22, 0.53
FINE = 2  # rays per pixel, side by side
SKY = np.array([0.55, 0.72, 0.95], np.float32)
AIR = np.array([0.78, 0.82, 0.86], np.float32)
DARK = 0.1  # light below which head lamps are on
SHOT, READ = 0.0012, 0.007  # a and √b at exposure 1


def project(x: np.ndarray, y: np.ndarray, z: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Column and row (continuous; pixel k covers [k, k + 1)) of points in the ego's axes, x > MOUNT_X."""
    ahead = x - MOUNT_X
    return (
        size / 2 * (1 - y / ahead / TAN_SIDE),
        size * (TAN_UP - (z - HEIGHT) / ahead) / (TAN_UP + TAN_DOWN),
    )


def rays(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of the pixels' rays: to the left per column (`FINE`·size,), upwards per row (size,), per metre ahead."""
    columns = FINE * size
    left = TAN_SIDE * (1 - 2 * (np.arange(columns) + 0.5) / columns)
    up = TAN_UP - (TAN_UP + TAN_DOWN) * (np.arange(size) + 0.5) / size
    return left.astype(np.float32), up.astype(np.float32)


def nearest(box: Boxes, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Depth X (m, inf: nothing) and number of the nearest box on each ray, (B, S, FINE·S)."""
    left, up = rays(size)
    enter = meet(box, (MOUNT_X, 0.0), np.ones_like(left), left).enter
    depth = np.full((len(enter), size, len(left)), np.inf, np.float32)
    number = np.zeros(depth.shape, np.int8)
    for p in range(enter.shape[1]):
        rows = np.flatnonzero(np.isfinite(enter[:, p]).any(-1))
        if not len(rows):
            continue
        at = enter[rows, p][:, None, :]
        with np.errstate(invalid="ignore"):  # a ray that misses is at infinity, at all heights
            z = HEIGHT + at * up[:, None]
            low, high = (v[rows, p, None, None].astype(np.float32) for v in (box.bottom, box.top))
            seen = (z >= low) & (z <= high) & (at < depth[rows])
        depth[rows] = np.where(seen, at, depth[rows])
        number[rows] = np.where(seen, np.int8(p), number[rows])
    return depth, number


def render(scene: Scene, size: int, noise: float, rngs: list[np.random.Generator]) -> np.ndarray:
    """Images of a batch of scenes, float32 (B, 3, S, S) in [0, 1]."""
    box = boxes(scene)
    left, up = rays(size)
    depth, number = nearest(box, size)
    light = scene.weather.light.astype(np.float32)
    night = light < DARK

    albedo, behind = _background(scene, left, up)
    emitted = np.zeros_like(albedo)
    lit = np.broadcast_to((up < 0)[:, None], depth.shape).copy()  # by the head lamps: all but the sky

    b, row, column = np.nonzero(np.isfinite(depth))
    which, at = number[b, row, column], depth[b, row, column]
    z = HEIGHT + at * up[row]
    px, py = MOUNT_X + at, at * left[column]
    colour = surface_colours(scene, b, SLOT[which], PART[which], z, row, column)
    own = lamps(scene, box, b, which, px, py, z, night[b])
    albedo[b, row, column], emitted[b, row, column] = colour, own
    lit[b, row, column] = True
    distance = np.where(np.isfinite(depth), depth, behind)

    beam = np.exp(-((left / 0.32) ** 2)) * np.minimum((9.0 / (distance + 4.0)) ** 2, 1.2)
    beam *= 0.5 * lit * night[:, None, None]
    radiance = albedo * (light[:, None, None] + beam)[..., None] + emitted
    through = np.exp(-scene.weather.extinction.astype(np.float32)[:, None, None] * distance)[..., None]
    air = AIR * (light + 0.02 * night)[:, None, None, None]
    radiance = radiance * through + air * (1 - through)
    exposure = (light**-0.7)[:, None, None, None]
    image = (radiance * exposure).reshape(len(depth), size, size, FINE, 3).mean(3)
    image = _rain(image, scene.weather.rain, rngs)
    if noise > 0:
        sd = noise * np.sqrt(SHOT * exposure * np.maximum(image, 0) + (READ * exposure) ** 2)
        image = image + sd * normals(rngs, image.shape[1:])
    return np.moveaxis(np.clip(image, 0, 1) ** np.float32(1 / 2.2), -1, 1).astype(np.float32)


def _background(scene: Scene, left: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ground and sky: reflectance (B, S, FINE·S, 3) (of the sky: its radiance in full light), depth X (S, 1) in m."""
    ahead = np.where(up < 0, HEIGHT / np.maximum(-up, 1e-6), 120.0).astype(np.float32)[:, None]
    below = up < 0
    s, d = scene.to_road(ahead[below] + np.float32(MOUNT_X) + 0 * left, ahead[below] * left)
    albedo = np.empty((len(scene.x), len(up), len(left), 3), np.float32)
    albedo[:] = SKY
    albedo[:, below] = ground_colours(scene.layout, s, d)
    return albedo, ahead


def _rain(image: np.ndarray, rate: np.ndarray, rngs: list[np.random.Generator]) -> np.ndarray:
    """Drops that fall through the picture while the shutter is open: bright strokes, three pixels high."""
    size = image.shape[1]
    drop = np.stack([rng.random((size, size), dtype=np.float32) for rng in rngs])
    wet = drop < (0.0009 * rate)[:, None, None]
    stroke = wet | np.roll(wet, 1, 1) | np.roll(wet, 2, 1)
    return np.where(stroke[..., None], 0.6 * image + 0.25, image)
