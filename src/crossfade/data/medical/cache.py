"""Rendered images on disk: written whole or not at all, checked when read, rebuilt when broken."""

from __future__ import annotations

import logging
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

log = logging.getLogger(__name__)

BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def cache_folder() -> Path:
    """$CROSSFADE_CACHE, else $XDG_CACHE_HOME/crossfade, else ~/.cache/crossfade."""
    if own := os.environ.get("CROSSFADE_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "crossfade"


def load(path: Path, shape: tuple[int, ...], dtype: type = np.float16) -> np.ndarray | None:
    """The array in `path`, or None where there is none that can be trusted (zip's CRC, shape and type are checked)."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            array = file["images"]
    except BROKEN as fault:
        log.warning("The cached images in %s cannot be read (%s); they are made anew.", path, fault)
        return None
    if array.shape != shape or array.dtype != dtype:
        log.warning("The cached images in %s have shape %s, not %s; they are made anew.", path, array.shape, shape)
        return None
    return array


def save(path: Path, array: np.ndarray) -> None:
    """Write beside, then rename, so that nobody ever sees half a file; warns where the folder takes no file."""
    beside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            np.savez(file, images=array)
        os.replace(beside, path)
    except OSError as fault:
        log.warning(
            "Images are not cached: %s takes no file (%s). $CROSSFADE_CACHE may name another.", path.parent, fault
        )
        if beside is not None:
            Path(beside).unlink(missing_ok=True)


def cached(path: Path, shape: tuple[int, ...], make: Callable[[], np.ndarray], dtype: type = np.float16) -> np.ndarray:
    """What `load` finds, else what `make` gives, saved for the next time; of this shape and type."""
    array = load(path, shape, dtype)
    if array is None:
        array = make()
        save(path, array)
    return array
