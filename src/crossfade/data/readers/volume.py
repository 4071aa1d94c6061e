"""Volumes: NIfTI files and folders that hold one DICOM series → the axial slices that the modality names.

No slice is picked silently: `ModalitySpec.slices` says which ones become the channels of the 2-D image.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from crossfade.data.readers.faults import Fault, finite, numeric, optional_package, reason

Slices = Literal["middle"] | list[int]

UNEVEN = 0.05  # share of the usual distance by which two neighbouring slices may lie nearer or farther


@dataclass(frozen=True)
class Volume:
    """Voxels float32 (Z, H, W) in HU or the file's rescaled unit; spacing (3,) in mm, between slices, rows, columns."""

    voxels: np.ndarray
    spacing: tuple[float, float, float]


def take(volume: Volume, slices: Slices, channels: int) -> np.ndarray:
    """(C, H, W): the slices with these numbers, 0 the first, −1 the last; `middle`: C neighbours about number ⌊Z/2⌋.

    Raises Fault where the volume has not as many, or where their number is not that of the channels.
    """
    count = len(volume.voxels)
    if slices == "middle":
        first = count // 2 - (channels - 1) // 2
        chosen = list(range(first, first + channels))
        if first < 0 or chosen[-1] >= count:
            raise Fault(f"has {count} slices, {channels} about the middle are asked for")
    else:
        chosen = list(slices)
        if len(chosen) != channels:
            raise Fault(f"{len(chosen)} slices are asked for, the modality has channels: {channels}")
        if outside := [number for number in chosen if not -count <= number < count]:
            raise Fault(f"has {count} slices, numbers 0 to {count - 1}; slice {outside[0]} is asked for")
    return finite(numeric(volume.voxels[chosen], "the slices"), "the slices")


def read_nifti_volume(path: Path) -> Volume:
    """A 3-D NIfTI file, scale applied, turned to the nearest axial view.

    Slices run from feet to head, rows from front to back, columns from the patient's right to left, as a DICOM series
    of axial slices is stored. Raises Fault for a file that is damaged or not 3-D.
    """
    nibabel = optional_package("nibabel", path)
    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))  # axes to the right, to the front, to the head
        array = np.asanyarray(image.dataobj)
    except Exception as error:  # the decoder raises all sorts; each means a bad file
        raise Fault(f"not a readable NIfTI file: {reason(error)}") from error
    if array.ndim != 3:
        raise Fault(f"has shape {array.shape}, expected a volume (X, Y, Z)")
    x, y, z = (float(size) for size in image.header.get_zooms()[:3])
    return Volume(numeric(array[::-1, ::-1].transpose(2, 1, 0), "the volume"), (z, y, x))


def read_dicom_series(folder: Path) -> Volume:
    """A folder with the files of one DICOM series, sorted by position along the slices' normal; HU for CT.

    position = ImagePositionPatient · (row direction × column direction), from feet to head for axial slices.
    Raises Fault for several series in one folder, slices that do not match, that lie twice in a place, or are missing.
    """
    files = sorted(file for file in folder.iterdir() if file.is_file() and _is_dicom(file))
    if not files:
        raise Fault("is a folder without a DICOM file")
    pydicom = optional_package("pydicom", files[0])
    try:
        datasets = [pydicom.dcmread(file) for file in files]
    except Exception as error:  # as above
        raise Fault(f"not a readable DICOM series: {reason(error)}") from error
    series = {str(dataset.get("SeriesInstanceUID", "")) for dataset in datasets}
    if len(series) > 1:
        raise Fault(f"holds {len(series)} DICOM series; give each a folder of its own")
    for file, dataset in zip(files, datasets, strict=True):
        missing = [tag for tag in ("ImagePositionPatient", "ImageOrientationPatient") if not dataset.get(tag)]
        if missing:
            raise Fault(f"{file.name} has no {missing[0]}: its place in the series is not known")
    direction = np.array([dataset.ImageOrientationPatient for dataset in datasets], dtype=np.float64)
    if np.abs(direction - direction[0]).max() > 1e-3:
        raise Fault("its slices lie at an angle to each other: ImageOrientationPatient differs")
    normal = np.cross(direction[0, :3], direction[0, 3:])
    place = np.array([dataset.ImagePositionPatient for dataset in datasets], dtype=np.float64) @ normal
    order = np.argsort(place, kind="stable")
    gap = _gap(place[order], [files[i].name for i in order], datasets[0])
    planes = [_plane(files[i], datasets[i]) for i in order]
    shapes = sorted({plane.shape for plane in planes})
    if len(shapes) > 1:
        raise Fault(f"its slices have different sizes: {shapes[0]} and {shapes[1]}")
    rows, columns = (float(size) for size in datasets[0].get("PixelSpacing", (1.0, 1.0)))
    return Volume(numeric(np.stack(planes), "the series"), (gap, rows, columns))


def dicom_values(dataset: Any, stored: np.ndarray) -> np.ndarray:
    """Stored grey values after rescale slope and intercept (HU for CT); MONOCHROME1 is inverted: bright is dense."""
    value = stored.astype(np.float64)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        bits = int(dataset.BitsStored)
        low = -(2 ** (bits - 1)) if dataset.PixelRepresentation else 0
        value = 2 * low + 2**bits - 1 - value
    return value * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))


def _is_dicom(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(132)[128:] == b"DICM"


def _gap(place: np.ndarray, names: list[str], dataset: Any) -> float:
    """Distance of neighbouring slices in mm; Fault where it is not the same all along."""
    if len(place) < 2:
        return float(dataset.get("SliceThickness") or 1.0)
    steps = np.diff(place)
    usual = float(np.sort(steps)[(len(steps) - 1) // 2])  # of two that differ the smaller: the other is a hole
    for i, step in enumerate(steps):
        if step < 1e-3:
            raise Fault(f"{names[i]} and {names[i + 1]} lie in the same place, {place[i]:g} mm")
        if abs(step - usual) > UNEVEN * usual:
            raise Fault(
                f"{names[i]} and {names[i + 1]} lie {step:g} mm apart, the others {usual:g} mm: a slice is missing or "
                "one too many"
            )
    return usual


def _plane(file: Path, dataset: Any) -> np.ndarray:
    try:
        stored = np.asarray(dataset.pixel_array)
    except Exception as error:  # the decoder raises all sorts; each means a bad file
        raise Fault(f"{file.name} is not a readable DICOM image: {reason(error)}") from error
    if stored.ndim != 2:
        raise Fault(f"{file.name} has shape {stored.shape}, expected one grey slice (H, W)")
    return dicom_values(dataset, stored)
