"""Time series: CSV, TSV, Parquet and NumPy files → float32 (T, C), NaN where an entry is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from crossfade.data.readers.arrays import load_array
from crossfade.data.readers.cells import number
from crossfade.data.readers.faults import Fault, finite, numeric
from crossfade.data.readers.tables import TABLES, TableFault, read_table

ARRAYS = (".npy", ".npz")
EXTENSIONS = TABLES + ARRAYS


def read_series(path: Path) -> np.ndarray:
    """A series file as float32 (T, C): one row per step, one column per channel, units as stored.

    Blank cells and NaN are missing entries. Raises Fault on inf, on text, and on a file without a row.
    """
    suffix = path.suffix.lower()
    if suffix in ARRAYS:
        array = load_array(path)
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2:
            raise Fault(f"has shape {array.shape}, expected (T,) or (T, C)")
        return finite(numeric(array, "the series"), "the series", nan_allowed=True)
    if suffix not in TABLES:
        raise Fault(f"unknown series extension {path.suffix!r}; readable: {', '.join(EXTENSIONS)}")
    try:
        table = read_table(path)
    except TableFault as fault:
        raise Fault(str(fault)) from fault
    if suffix not in (".parquet", ".pq") and all(_is_number(c) for c in table.columns):
        raise Fault("its first line holds numbers only: it needs a header that names the columns")
    channels = np.empty(table.shape, dtype=np.float64)
    for c, column in enumerate(table.columns):
        channels[:, c] = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64, na_value=np.nan)
        for step in np.flatnonzero(~np.isfinite(channels[:, c])):  # missing, or a fault
            try:
                number(table[column].iloc[step])
            except ValueError as error:
                raise Fault(f"column {column!r}, step {step + 1}: {error}") from error
            channels[step, c] = np.nan
    return finite(numeric(channels, "the series"), "the series", nan_allowed=True)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
