"""CT: the slice's attenuation, projected (Radon transform), measured with quantum noise, reconstructed (FBP).

    p = ∫ μ dl,  p̂ = p + ε,  ε ~ N(0, σ² exp(p)),   μ̂ = backprojection(ramp * p̂),   HU = 1000 (μ̂/μ_water − 1)

The noise is the Gaussian limit of counting I₀ exp(−p) photons (σ² = 1/I₀). Portal-venous phase. Values in
Hounsfield units, shape (1, H, W). Kak & Slaney, Principles of Computerized Tomographic Imaging (1988), ch. 3.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft
import scipy.sparse

from crossfade.data.synthetic.draws import Uniforms, normals

from .anatomy import FIELD_MM, Slice
from .lesion import Recipe, paint, region

MU_WATER = 0.0193  # 1/mm at about 70 keV
SIGMA = 1.6e-3  # √(1/I₀): noise of about 12 HU in the middle of the body
AIR = -1000.0

HU = {  # mean, half-range between patients
    "skin": (20, 10), "fat": (-100, 8), "muscle": (58, 6), "bone": (420, 60), "marrow": (190, 30),
    "liver": (112, 7), "blood": (150, 10), "portal": (175, 10), "spleen": (122, 8), "kidney": (175, 15),
    "pancreas": (98, 10), "content": (18, 12), "gas": (-950, 20), "fluid": (25, 8),
    # of lesions
    "water": (6, 5), "necrosis": (36, 8), "wall": (195, 10), "tumour": (62, 7), "sluggish": (50, 7),
    "pool": (205, 12), "hyper": (178, 9),
}  # fmt: skip

PATTERNS: Recipe = {
    "fluid": [("whole", "water")],
    "rim": [("whole", "wall"), ("core", "necrosis")],
    "nodular": [("whole", "sluggish"), ("nodules", "pool")],
    "bright": [("whole", "hyper")],
    "hypodense": [("whole", "tumour")],
}


def attenuation(scene: Slice, evidence: np.ndarray, rngs: list[np.random.Generator]) -> np.ndarray:
    """The slice in HU before the scanner sees it, float32 (B, H, W); `evidence` (B,) indexes `PATTERNS`."""
    u = Uniforms(rngs, len(HU))
    value = {tissue: mean + spread * u.between(-1, 1) for tissue, (mean, spread) in HU.items()}
    image = np.full(scene.r.shape, AIR, np.float32)
    for layer in scene.layers:
        paint(image[layer.window], layer.mask, value[layer.tissue])
    for number, recipe in enumerate(PATTERNS.values()):
        rows = np.flatnonzero(evidence == number)
        for where, tissue in recipe:
            part = image[rows]
            paint(part, region(where, scene, rows), value[tissue][rows])
            image[rows] = part
    return image


@lru_cache(maxsize=4)
def scanner(size: int) -> tuple[scipy.sparse.csr_matrix, scipy.sparse.csr_matrix, int, int]:
    """Forward projector A (rays, pixels) in mm, back-projector (pixels, rays), angles, detectors.

    Parallel beam, one detector per pixel's width. A pixel's shadow is a trapezium; A integrates it exactly over
    each detector. The back-projector interpolates linearly.
    """
    angles, detectors = size + size // 4, int(1.45 * size) | 1
    axis = np.arange(size) - (size - 1) / 2
    x, y = np.meshgrid(axis, axis)
    theta = (np.arange(angles) * np.pi / angles)[:, None]
    t = x.reshape(1, -1) * np.cos(theta) + y.reshape(1, -1) * np.sin(theta) + (detectors - 1) / 2
    first = np.arange(angles)[:, None] * detectors
    pixels = np.broadcast_to(np.arange(size * size), t.shape)
    shape = (angles * detectors, size * size)

    def sparse(weights: list[np.ndarray], rays: list[np.ndarray]) -> scipy.sparse.csr_matrix:
        where = (np.stack(rays).reshape(-1), np.stack([pixels] * len(rays)).reshape(-1))
        values = np.stack(weights).reshape(-1).astype(np.float32)
        return scipy.sparse.csr_matrix((values, where), shape=shape)

    near = np.rint(t).astype(np.int64)
    edges = [shadow(near + k - 0.5 - t, theta) for k in range(-1, 3)]
    forward = sparse([edges[k + 1] - edges[k] for k in range(3)], [first + near + k for k in (-1, 0, 1)])
    left = np.floor(t).astype(np.int64)
    back = sparse([1 - (t - left), t - left], [first + left, first + left + 1])
    return forward * np.float32(FIELD_MM / size), scipy.sparse.csr_matrix(back.T), angles, detectors


def shadow(t: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Share of a unit pixel's shadow at angle `theta` that lies below `t`: the integral of a trapezium."""
    wide, narrow = np.abs(np.cos(theta)), np.abs(np.sin(theta))
    wide, narrow = np.maximum(wide, narrow), np.maximum(np.minimum(wide, narrow), 1e-6)

    def ramp2(s: np.ndarray) -> np.ndarray:
        return np.maximum(s, 0) ** 2 / (2 * wide * narrow)

    a, b = (wide + narrow) / 2, (wide - narrow) / 2
    return np.clip(ramp2(t + a) - ramp2(t + b) - ramp2(t - b) + ramp2(t - a), 0, 1)


def ramp(detectors: int, spacing: float) -> np.ndarray:
    """Frequency response of the band-limited ramp filter, softened by a Hann window (Kak & Slaney, eq. 61)."""
    length = 2 * scipy.fft.next_fast_len(detectors)
    n = np.minimum(np.arange(length), length - np.arange(length))
    kernel = np.zeros(length)
    kernel[n == 0] = 0.25
    odd = n % 2 == 1
    kernel[odd] = -1 / (np.pi * n[odd]) ** 2
    response = scipy.fft.rfft(kernel).real / spacing
    window = 0.5 + 0.5 * np.cos(np.pi * np.arange(len(response)) / len(response))
    return (response * (0.4 + 0.6 * window)).astype(np.float32)


def scan(hu: np.ndarray, noise: float, rngs: list[np.random.Generator]) -> np.ndarray:
    """Project, add quantum noise, reconstruct: HU (B, H, W) → HU (B, H, W), float32."""
    batch, size, _ = hu.shape
    forward, back, angles, detectors = scanner(size)
    mu = (1 + hu.reshape(batch, -1) / 1000) * np.float32(MU_WATER)
    sinogram = (forward @ mu.T).T.reshape(batch, angles, detectors)
    if noise > 0:
        epsilon = normals(rngs, (angles, detectors))
        sinogram = sinogram + np.float32(SIGMA * noise) * np.exp(sinogram / 2) * epsilon
    response = ramp(detectors, FIELD_MM / size)
    length = 2 * (len(response) - 1)
    spectrum = scipy.fft.rfft(sinogram.astype(np.float32), n=length, axis=-1) * response
    filtered = scipy.fft.irfft(spectrum, n=length, axis=-1)[..., :detectors].reshape(batch, -1)
    image = (back @ np.ascontiguousarray(filtered.T)).T * np.float32(np.pi / angles)
    return (1000 * (image / np.float32(MU_WATER) - 1)).reshape(hu.shape).astype(np.float32)


def render(scene: Slice, evidence: np.ndarray, noise: float, rngs: list[np.random.Generator]) -> np.ndarray:
    """Reconstructed slices in HU, float32 (B, 1, H, W)."""
    return scan(attenuation(scene, evidence, rngs), noise, rngs)[:, None]
