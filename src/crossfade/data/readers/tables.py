"""Table files: CSV, TSV and Parquet → a DataFrame, strictly. No cell of a CSV is interpreted here."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from crossfade.data.readers.faults import Fault, reason

TABLES = (".csv", ".tsv", ".parquet", ".pq")
LONGEST_CELL = 10_000_000  # characters; Python's own limit of 131,072 is less than a long clinical note


class TableFault(Fault):
    """A table file cannot be read."""


def read_table(path: Path) -> pd.DataFrame:
    """All of a table file; of a CSV or TSV (UTF-8, first line = header) every cell as text.

    Raises TableFault: unknown extension, not UTF-8, no header, a name twice, a row of another length.
    """
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".pq"):
        try:
            frame = pd.read_parquet(path)
        except Exception as error:  # pyarrow raises all sorts; each means that the file is not Parquet
            raise TableFault(f"not a readable Parquet file: {reason(error)}") from error
        return frame.rename(columns=str)
    if suffix not in TABLES:
        raise TableFault(f"unknown table extension {path.suffix!r}; readable: {', '.join(TABLES)}")
    csv.field_size_limit(LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="\t" if suffix == ".tsv" else ",", strict=True)
            header = [name.strip() for name in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if row]
    except UnicodeDecodeError as error:
        raise TableFault(f"not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except csv.Error as error:
        raise TableFault(f"not a readable CSV: {reason(error)}") from error
    if not any(header):
        raise TableFault("has no header line that names the columns")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise TableFault(f"names a column twice: {', '.join(twice)}")
    if len(header) == 1 and ";" in header[0]:
        raise TableFault("seems to be separated by semicolons; save it with commas")
    for line, row in rows:
        if len(row) != len(header):
            raise TableFault(f"line {line} has {len(row)} cells, the header has {len(header)}")
    return pd.DataFrame([row for _, row in rows], columns=header, dtype=object)
