"""Point clouds: NumPy files → float32 (N, F)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crossfade.data.readers.arrays import load_array
from crossfade.data.readers.faults import Fault, finite, numeric

EXTENSIONS = (".npy", ".npz")


def read_points(path: Path) -> np.ndarray:
    """A .npy or .npz file as float32 (N, F), all finite, in stored units. Raises Fault."""
    if path.suffix.lower() not in EXTENSIONS:
        raise Fault(f"unknown point cloud extension {path.suffix!r}; readable: {', '.join(EXTENSIONS)}")
    array = load_array(path)
    if array.ndim != 2:
        raise Fault(f"has shape {array.shape}, expected (N, F)")
    return finite(numeric(array, "the point cloud"), "the point cloud")
