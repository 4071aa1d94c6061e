"""Rendered arrays on disk: written whole or not at all, checked when read, rebuilt when broken."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)

Arrays = dict[str, np.ndarray]
Layout = Mapping[str, tuple[tuple[int | None, ...], Any]]  # array's name → shape (None: any length), type


def cache_folder() -> Path:
    """$CROSSFADE_CACHE, else $XDG_CACHE_HOME/crossfade, else ~/.cache/crossfade."""
    if own := os.environ.get("CROSSFADE_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "crossfade"


def digest(**what: Any) -> str:
    """16 hexadecimal digits that stand for these values (JSON): part of a file's name, or a source's fingerprint."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def load(path: Path, layout: Layout) -> Arrays | None:
    """The arrays in `path`, or None where it holds none that can be trusted (zip's CRC, shapes, types are checked)."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in layout}
    except BROKEN as fault:
        log.warning("The cached values in %s cannot be read (%s); they are made anew.", path, fault)
        return None
    for name, (shape, dtype) in layout.items():
        array = arrays[name]
        fits = len(array.shape) == len(shape) and all(
            n is None or n == m for n, m in zip(shape, array.shape, strict=True)
        )
        if not fits or array.dtype != dtype:
            log.warning("The cached %s in %s are %s %s, not %s %s; they are made anew.", name, path, array.dtype,
                        array.shape, np.dtype(dtype), shape)  # fmt: skip
            return None
    with contextlib.suppress(OSError):  # the file's time is that of its last use: `crossfade cache clear older_than=…`
        os.utime(path)
    return arrays


def save(path: Path, arrays: Arrays) -> None:
    """Write beside, then rename, so that nobody ever sees half a file; warns where the folder takes no file."""
    beside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # the stubs take the names for the flag allow_pickle
        os.replace(beside, path)
    except OSError as fault:
        log.warning(
            "Rendered values are not cached: %s takes no file (%s). $CROSSFADE_CACHE may name another.",
            path.parent,
            fault,
        )
        if beside is not None:
            Path(beside).unlink(missing_ok=True)


def cached(path: Path, layout: Layout, make: Callable[[], Arrays]) -> Arrays:
    """What `load` finds, else what `make` gives, saved for the next time."""
    arrays = load(path, layout)
    if arrays is None:
        arrays = make()
        save(path, arrays)
    return arrays
