"""What can go wrong with one file or cell; the caller that knows row and column makes a `ReadError` of it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.errors import UserError

EXTRAS = {"nibabel": "medical", "pydicom": "medical", "soundfile": "audio"}  # package → pip extra


class Fault(Exception):
    """One file or cell cannot be read; its text says why, the caller adds where."""


def optional_package(name: str, path: Path) -> Any:
    """The module `name`, or a UserError naming the pip extra that brings it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise UserError(
            f"Reading {path.name} needs the package {name}, which is not installed. "
            f'Install it: pip install "crossfade[{EXTRAS[name]}]"'
        ) from error


def reason(error: Exception) -> str:
    """A decoder's complaint in short: its first sentence, without its advice on how to read the file all the same."""
    return re.split(r"\.\s|\.?$", str(error), maxsplit=1, flags=re.MULTILINE)[0] or type(error).__name__


def numeric(array: np.ndarray, what: str) -> np.ndarray:
    """`array` as float32; Fault where it is empty or holds something other than real numbers."""
    if array.dtype.kind not in "biuf":
        raise Fault(f"{what} holds values of type {array.dtype}, not real numbers")
    if array.size == 0:
        raise Fault(f"{what} is empty: shape {array.shape}")
    with np.errstate(over="ignore"):  # a float64 too large for float32 turns inf, which `finite` reports
        return np.ascontiguousarray(array, dtype=np.float32)


def finite(array: np.ndarray, what: str, nan_allowed: bool = False) -> np.ndarray:
    """`array` itself; Fault counting its NaN and inf."""
    nan, inf = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    if inf or (nan and not nan_allowed):
        raise Fault(f"{what} holds {nan} NaN and {inf} infinite values of {array.size}")
    return array
