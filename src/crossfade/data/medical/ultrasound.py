"""Ultrasound: a curved probe below the ribs looks into the right lobe of the liver.

Per scan line, with scatterers' power b, attenuation a in dB/mm and the machine's depth gain g, at depth d:

    echo(d) = b(d) · |speckle|² ,   dB = 10 log₁₀ echo − 2 ∫₀ᵈ a(s) ds + g · d

Less attenuation than the gain expects leaves a bright band behind a fluid (enhancement), more leaves a dark
one (shadow). Speckle is filtered complex noise, so its amplitude is Rayleigh; two looks are averaged, as
spatial compounding does. Values are dB below the brightest displayed echo, −60 … 0, shape (1, H, W); outside
the sector −60. Szabo, Diagnostic Ultrasound Imaging (2014), ch. 8 and 10.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.ndimage

from crossfade.data.synthetic.draws import Uniforms, normals

from .anatomy import soft

LOW = -60.0  # dB
DEPTH_MM, APEX_MM, HALF_ANGLE = 170.0, 62.0, 0.50  # of the field; probe's radius; rad
LOOKS = 2
UNIFORMS = 48

# Mean echo (dB) and attenuation (dB/mm, one way) per pattern: margin, then core of the lesion.
LIVER_DB, LIVER_LOSS = -27.0, 0.100
PATTERNS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "anechoic": ((-58.0, 0.015), (-58.0, 0.015)),
    "hyperechoic": ((-15.0, 0.100), (-15.0, 0.100)),
    "hypoechoic": ((-39.0, 0.090), (-39.0, 0.090)),
    "halo": ((-44.0, 0.090), (-19.0, 0.110)),
    "shadow": ((-13.0, 0.40), (-34.0, 0.40)),
}


@lru_cache(maxsize=4)
def sector(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Polar grid x, y in mm (depth, line) and, per pixel of the image, its row and line there (NaN: outside)."""
    depth = (np.arange(size) + 0.5) / size * DEPTH_MM
    angle = (np.arange(size) + 0.5) / size * 2 * HALF_ANGLE - HALF_ANGLE
    x = (APEX_MM + depth)[:, None] * np.sin(angle)
    y = (APEX_MM + depth)[:, None] * np.cos(angle) - APEX_MM
    # the image: square, the sector just fits in
    pixel = 2 * (APEX_MM + DEPTH_MM) * np.sin(HALF_ANGLE) / size
    top = APEX_MM * np.cos(HALF_ANGLE) - APEX_MM
    px = (np.arange(size) + 0.5) * pixel - pixel * size / 2
    py = top + (np.arange(size) + 0.5) * pixel + (DEPTH_MM - top - size * pixel) / 2
    radius = np.hypot(px[None, :], py[:, None] + APEX_MM) - APEX_MM
    turn = np.arctan2(px[None, :], py[:, None] + APEX_MM)
    row = radius / DEPTH_MM * size - 0.5
    line = (turn + HALF_ANGLE) / (2 * HALF_ANGLE) * size - 0.5
    outside = (radius < 0) | (radius > DEPTH_MM) | (np.abs(turn) > HALF_ANGLE)
    row = np.where(outside, np.nan, np.clip(row, 0, size - 1))
    return x.astype(np.float32), y.astype(np.float32), row, line.clip(0, size - 1)


def scan_convert(polar: np.ndarray) -> np.ndarray:
    """(B, depth, line) → (B, H, W) by linear interpolation in dB; outside the sector `LOW`."""
    size = polar.shape[-1]
    _, _, row, line = sector(size)
    inside = ~np.isnan(row)
    row, line = row[inside], line[inside]
    r0, l0 = np.minimum(row.astype(int), size - 2), np.minimum(line.astype(int), size - 2)
    fr, fl = (row - r0).astype(np.float32), (line - l0).astype(np.float32)
    upper = polar[:, r0, l0] * (1 - fl) + polar[:, r0, l0 + 1] * fl
    lower = polar[:, r0 + 1, l0] * (1 - fl) + polar[:, r0 + 1, l0 + 1] * fl
    image = np.full(polar.shape, LOW, np.float32)
    image[:, inside] = upper * (1 - fr) + lower * fr
    return image


def speckle(rngs: list[np.random.Generator], size: int) -> np.ndarray:
    """Speckle in dB about a mean power of one, (B, depth, line): mean of `LOOKS` filtered complex noises."""
    wave = normals(rngs, (LOOKS, 2, size, size))
    scale = size / 64
    wave = scipy.ndimage.gaussian_filter1d(wave, 0.55 * scale, axis=-2, mode="wrap")
    wave = scipy.ndimage.gaussian_filter1d(wave, 0.85 * scale, axis=-1, mode="wrap")
    power = (wave * wave).sum(axis=2).mean(axis=1)
    power /= power.mean(axis=(-2, -1), keepdims=True)
    return 10 * np.log10(power + np.float32(1e-4))


def scene(u: Uniforms, evidence: np.ndarray, radius: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean echo in dB and one-way loss in dB/mm on the polar grid, both float32 (B, depth, line)."""
    x, y, _, _ = sector(size)
    x, y = x[None], y[None]
    step = np.float32(DEPTH_MM / size)

    def column(values: np.ndarray) -> np.ndarray:
        return np.asarray(values, np.float32)[:, None, None]

    echo = np.full((len(evidence), size, size), LIVER_DB, np.float32) + column(u.between(-2, 2))
    loss = np.full_like(echo, LIVER_LOSS)

    def put(mask: np.ndarray, db: np.ndarray | float, lossy: np.ndarray | float | None = None) -> None:
        nonlocal echo, loss
        echo = echo + mask * (db - echo)
        if lossy is not None:
            loss = loss + mask * (lossy - loss)

    def ellipse(cx, cy, a, b, turn=None) -> np.ndarray:
        dx, dy = x - column(cx), y - column(cy)
        angle = column(np.zeros(len(evidence)) if turn is None else turn)
        p, q = np.cos(angle) * dx + np.sin(angle) * dy, np.cos(angle) * dy - np.sin(angle) * dx
        r = np.sqrt((p / column(a)) ** 2 + (q / column(b)) ** 2)
        return soft((1 - r) * column(np.minimum(a, b)) / step)

    # veins: black tubes, portal ones with bright walls
    for bright in (True, False, True):
        cx, cy = u.between(-55, 55), u.between(35, 125)
        a, b, turn = u.between(16, 34), u.between(2.5, 4.5), u.between(-1.0, 1.0)
        if bright:
            put(ellipse(cx, cy, a + 3, b + 3, turn), -17.0)
        put(ellipse(cx, cy, a, b, turn), -54.0)
    # right kidney at one side: dark cortex, bright sinus
    kx, ky = u.between(58, 78), u.between(96, 118)
    put(ellipse(kx, ky, np.full_like(kx, 36), np.full_like(kx, 20), np.full_like(kx, -0.5)), -36.0)
    put(ellipse(kx, ky, np.full_like(kx, 18), np.full_like(kx, 7), np.full_like(kx, -0.5)), -16.0)

    # the lesion, lobulated
    cx, cy, phase, lobes = u.between(-28, 22), u.between(60, 84), u.between(-np.pi, np.pi), u.between(0, 0.06)
    dx, dy = x - column(cx), y - column(cy)
    edge = 1 + column(lobes) * np.cos(3 * np.arctan2(dy, dx) + column(phase))
    distance = np.hypot(dx, dy) / column(radius) / edge
    per_pixel = step / column(radius)
    whole, core = soft((1 - distance) / per_pixel), soft((np.float32(0.64) - distance) / per_pixel)
    values = np.array(list(PATTERNS.values()), dtype=np.float32)[evidence]  # (B, margin | core, dB | loss)
    shift = u.between(-1.5, 1.5)
    for part, mask in enumerate((whole, core)):
        put(mask, column(values[:, part, 0] + shift), column(values[:, part, 1]))

    # diaphragm: a bright arc, and lung behind it
    bend, deep, lean = u.between(150, 190), u.between(138, 152), u.between(-25, 25)
    arc = np.hypot(x - column(lean), y - column(deep - bend)) - column(bend)
    put(soft(arc / step), -40.0, 0.22)
    put(soft((np.float32(2.8) - np.abs(arc)) / step), -3.0)
    # skin, fat and muscle under the probe, in layers along the lines
    depth = ((np.arange(size) + 0.5) * step).astype(np.float32)[None, :, None]
    fat, wall = column(u.between(6, 13)), column(u.between(8, 12))
    put(soft((fat + wall - depth) / step), -30.0)
    put(soft((np.float32(1.4) - np.abs(depth - fat - wall)) / step), -10.0)
    put(soft((fat - depth) / step), -22.0)
    put(soft((np.float32(1.4) - np.abs(depth - fat)) / step), -12.0)
    put(soft((np.float32(3.0) - depth) / step), -7.0)
    return echo, loss


def render(
    evidence: np.ndarray, radius: np.ndarray, size: int, noise: float, rngs: list[np.random.Generator]
) -> np.ndarray:
    """B-mode images in dB, float32 (B, 1, H, W).

    `evidence` (B,) indexes `PATTERNS`; `radius` (B,) of the lesion in mm; `noise` scales the speckle's dB.
    """
    u = Uniforms(rngs, UNIFORMS)
    echo, loss = scene(u, evidence, radius, size)
    step = DEPTH_MM / size
    depth = ((np.arange(size) + 0.5) * step).astype(np.float32)[None, :, None]
    gain = u.between(0.92, 1.06) * 2 * LIVER_LOSS
    travelled = np.minimum(2 * np.cumsum(loss, axis=1) * np.float32(step), 90)
    echo = echo - travelled + gain.astype(np.float32)[:, None, None] * depth
    if noise > 0:
        echo = echo + np.float32(noise) * speckle(rngs, size)
    return scan_convert(np.clip(echo, LOW, 0)).clip(LOW, 0)[:, None]
