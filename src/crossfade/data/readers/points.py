"""Point clouds: NumPy files and the raw float32 files of KITTI and nuScenes → float32 (N, F)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crossfade.data.readers.arrays import load_array
from crossfade.data.readers.faults import Fault, finite, numeric

EXTENSIONS = (".npy", ".npz", ".bin")


def read_points(path: Path, columns: int | None = None) -> np.ndarray:
    """A .npy, .npz or .bin file as float32 (N, F), all finite, in stored units. Raises Fault.

    A .bin (KITTI: x, y, z, reflectance; nuScenes .pcd.bin: x, y, z, intensity, ring) is nothing but little-endian
    float32 values, so `columns` must say how many there are to a point. Of other files F is checked against it.
    """
    suffix = path.suffix.lower()
    if suffix not in EXTENSIONS:
        raise Fault(f"unknown point cloud extension {path.suffix!r}; readable: {', '.join(EXTENSIONS)}")
    array = _raw(path, columns) if suffix == ".bin" else load_array(path)
    if array.ndim != 2 or array.shape[1] != (columns or array.shape[1]):
        raise Fault(f"has shape {array.shape}, expected (N, {columns or 'F'})")
    return finite(numeric(array, "the point cloud"), "the point cloud")


def _raw(path: Path, columns: int | None) -> np.ndarray:
    if columns is None:
        raise Fault(
            "a .bin does not say how many columns it has; set the modality's `channels`: 4 for KITTI (x, y, z, "
            "reflectance), 5 for nuScenes (x, y, z, intensity, ring)"
        )
    content = path.read_bytes()
    if len(content) % (4 * columns):
        raise Fault(
            f"holds {len(content)} bytes, no multiple of {columns} columns of float32: it is cut off, or `channels` is "
            "not its number of columns (KITTI: 4, nuScenes: 5)"
        )
    return np.frombuffer(content, dtype="<f4").reshape(-1, columns)
