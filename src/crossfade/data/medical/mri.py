"""MRI: a T1- and a T2-weighted spin-echo image of the slice, with coil shading and Rician noise.

    S = PD · (1 − exp(−TR/T1)) · exp(−TE/T2),    |S · b + σ (n₁ + i n₂)|

Times in ms (1.5 T, rounded from the literature), signal in arbitrary units (1 = protons of water at once).
Shape (2, H, W): T1-weighted, T2-weighted. b is a smooth bias field. Gudbjartsson & Patz, MRM 34 (1995).
"""

from __future__ import annotations

import numpy as np

from crossfade.data.synthetic.draws import Uniforms, normals

from .anatomy import Slice
from .lesion import Recipe, paint, region

SEQUENCES = {"T1": (500.0, 12.0), "T2": (3500.0, 90.0)}  # TR, TE in ms
SIGMA = 0.014  # of the noise, a.u.
BIAS = 0.30  # largest log of the bias field's terms

TISSUE = {  # T1 ms, T2 ms, PD
    "skin": (500, 35, 0.5), "fat": (280, 62, 0.95), "muscle": (950, 38, 0.80), "bone": (600, 12, 0.20),
    "marrow": (480, 55, 0.65), "liver": (560, 46, 0.80), "blood": (1400, 20, 0.10), "spleen": (1050, 78, 0.85),
    "kidney": (980, 88, 0.88), "pancreas": (620, 62, 0.82), "portal": (560, 46, 0.80),
    "content": (1700, 60, 0.85), "gas": (1000, 5, 0.0), "fluid": (3000, 900, 1.0),
    # "blood" flows through the slice and is dark in spin echo; "portal" flows slowly and within it, keeps part of its
    # signal, and is taken to be as bright as the liver
    # of lesions
    "water": (2600, 420, 1.0), "necrosis": (1900, 230, 0.95), "tumour": (1050, 84, 0.88),
    "wall": (800, 58, 0.83), "lipid": (240, 88, 0.95), "nodule": (600, 52, 0.80), "septum": (1500, 210, 0.92),
}  # fmt: skip

PATTERNS: Recipe = {
    "light_bulb": [("whole", "water")],
    "target": [("whole", "wall"), ("core", "necrosis")],
    "moderate": [("whole", "tumour")],
    "fat": [("whole", "lipid")],
    "scar": [("whole", "nodule"), ("scar", "septum")],
}


def spin_echo(t1: np.ndarray, t2: np.ndarray, pd: np.ndarray, tr: float, te: float) -> np.ndarray:
    """PD · (1 − exp(−TR/T1)) · exp(−TE/T2); times in ms."""
    return pd * (1 - np.exp(-tr / t1)) * np.exp(-te / t2)


def bias_field(u: Uniforms, size: int) -> np.ndarray:
    """Coil shading exp(a·x + b·y + c·(x² + y²)) on [−1, 1]², mean about 1, (B, H, W)."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = axis[None, None, :], axis[None, :, None]
    a, b = (u.between(-BIAS, BIAS).astype(np.float32)[:, None, None] for _ in range(2))
    c = u.between(0, BIAS).astype(np.float32)[:, None, None]
    return np.exp(a * x + b * y + c * (x * x + y * y - np.float32(2 / 3)))


def render(scene: Slice, evidence: np.ndarray, noise: float, rngs: list[np.random.Generator]) -> np.ndarray:
    """T1- and T2-weighted magnitude images, float32 (B, 2, H, W); `evidence` (B,) indexes `PATTERNS`."""
    u = Uniforms(rngs, 3 * len(TISSUE) + 3)
    vary = {tissue: [v * u.between(0.95, 1.05) for v in values] for tissue, values in TISSUE.items()}
    bias = bias_field(u, scene.r.shape[-1])
    images = []
    for tr, te in SEQUENCES.values():
        signal = {tissue: spin_echo(t1, t2, pd, tr, te) for tissue, (t1, t2, pd) in vary.items()}
        image = np.zeros(scene.r.shape, np.float32)
        for layer in scene.layers:
            paint(image[layer.window], layer.mask, signal[layer.tissue])
        for number, recipe in enumerate(PATTERNS.values()):
            rows = np.flatnonzero(evidence == number)
            for where, tissue in recipe:
                part = image[rows]
                paint(part, region(where, scene, rows), signal[tissue][rows])
                image[rows] = part
        images.append(image * bias)
    clean = np.stack(images, axis=1)
    if noise == 0:
        return clean
    real, imaginary = np.moveaxis(normals(rngs, (2, *clean.shape[1:])), 1, 0) * np.float32(SIGMA * noise)
    return np.hypot(clean + real, imaginary)
