"""The dense truths of the axial slice: where lesion and portal branch are, and what CT and MRI show in [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crossfade.data.synthetic.draws import Uniforms

from . import anatomy
from .draws import generators
from .lesion import region

CLASSES = ("lesion", "vein")  # 1, 2 in the masks; 0 is everything else
SOURCES = ("ct", "mri")  # of the fused image
# source → channel of the modality, and the values that become 0 and 1: the abdomen's window in HU; T2-weighted signal
SHOWN = {"ct": (0, -160.0, 240.0), "mri": (1, 0.0, 0.5)}


def masks(seed: int, indices: np.ndarray, size: int) -> np.ndarray:
    """Masks (B, size, size) of `CLASSES`, uint8, over the field of view: what covers at least half of a pixel.

    The lesion as it is painted, whatever each modality shows of it, and the part of the large portal branch beside it
    that stays in the liver and outside of the lesion.
    """
    scene = anatomy.axial_slice(Uniforms(generators(seed, indices, "anatomy"), anatomy.ANATOMY_UNIFORMS), size)
    found = np.zeros(scene.r.shape, np.uint8)
    for layer in scene.layers:
        if layer.name == "vein":
            found[layer.window][layer.mask >= 0.5] = 2
    found[region("whole", scene, np.arange(len(indices))) >= 0.5] = 1
    return found


def shown(images: Mapping[str, np.ndarray]) -> np.ndarray:
    """What `SOURCES` show, float32 (2, H, W) in [0, 1], from the raw images (C, H, W) of one patient."""
    rows = []
    for name in SOURCES:
        channel, low, high = SHOWN[name]
        rows.append((images[name][channel].astype(np.float32) - low) / (high - low))
    return np.clip(np.stack(rows), 0, 1).astype(np.float32)
