"""Readers: one file per medium, each turns one file into the raw value of `specs.ModalitySpec`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from crossfade.data.readers.audio import read_audio
from crossfade.data.readers.faults import Fault
from crossfade.data.readers.image import read_image
from crossfade.data.readers.points import read_points
from crossfade.data.readers.series import read_series
from crossfade.specs import ModalitySpec

FILE_KINDS = ("image", "audio", "series", "points")  # kinds whose column holds a path


def read_file(path: Path, spec: ModalitySpec) -> np.ndarray:
    """The raw value of one file of a modality of kind image, audio, series or points; of a DICOM series, one folder.

    Raises Fault, saying what is wrong with the file, and UserError where a package is missing.
    """
    series = spec.kind == "image" and spec.slices is not None and os.path.isdir(path)
    if not series and not os.path.isfile(
        path
    ):  # which, unlike Path.is_file, takes a name that is too long for a missing file
        raise Fault("is a folder, not a file" if os.path.isdir(path) else "no such file")
    if spec.kind == "image":
        return read_image(path, spec.channels, spec.slices)
    if spec.kind == "audio":
        if spec.rate is None:  # the manifest's check names the modality; this is for direct callers
            raise ValueError("audio is read at a rate: the modality needs `rate` in Hz")
        return read_audio(path, spec.rate)
    if spec.kind == "series":
        return read_series(path)
    if spec.kind == "points":
        return read_points(path, spec.channels if spec.channels >= 3 else None)  # fewer: not given
    raise ValueError(f"kind {spec.kind!r} is not read from files; kinds that are: {', '.join(FILE_KINDS)}")


__all__ = ["FILE_KINDS", "Fault", "read_file"]
