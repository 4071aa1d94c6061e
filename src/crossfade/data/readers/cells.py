"""Cells of a table: what is missing, what is a number, what is a word. The same for CSV and Parquet.

A CSV holds text only, so everything is read as text and given its meaning by the modality or target that uses
it: a class called "None" or "NA" stays a class, and an ID "007" keeps its zeros.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

BLANK = ("", "nan")  # a word that is missing
MISSING = ("", "nan", "na", "n/a", "null", "none")  # a number that is missing
WHOLE = re.compile(r"[+-]?\d+\.0")  # how a column of whole numbers with gaps is written
YES, NO = ("1", "true", "1.0"), ("0", "false", "0.0")


def text(cell: Any) -> str:
    """The cell as text; '' where it is missing (None, NaN, NaT, pandas' NA).

    Raises ValueError on what Parquet can hold and no cell should: lists, records, bytes.
    """
    if isinstance(cell, str):
        return cell
    if hasattr(cell, "__len__"):
        kind = "list" if hasattr(cell, "tolist") else type(cell).__name__
        raise ValueError(f"holds a {kind}, not one text, number or date")
    if cell is None or cell is pd.NA or cell != cell:  # NaN and NaT differ from themselves
        return ""
    return str(cell)


def word(cell: Any) -> str | None:
    """The cell as a word without surrounding blanks, or None where it is missing."""
    stripped = text(cell).strip()
    return None if stripped.lower() in BLANK else stripped


def words(cells: Iterable[Any]) -> list[str | None]:
    """A column of names or labels. Where all are whole numbers written as 1.0, 2.0, …, the .0 goes."""
    column = [word(cell) for cell in cells]
    known = [w for w in column if w is not None]
    if known and all(WHOLE.fullmatch(w) for w in known):
        return [None if w is None else w[:-2] for w in column]
    return column


def number(cell: Any) -> float | None:
    """The cell as a finite float, or None where it is missing. Raises ValueError on text and on inf."""
    stripped = text(cell).strip()
    if stripped.lower() in MISSING:
        return None
    if stripped.lower() in ("true", "false"):
        return float(stripped.lower() == "true")
    try:
        value = float(stripped) if "_" not in stripped else None  # Python reads 1_000 as 1000
    except ValueError:
        value = None
    if value is None:
        raise ValueError(f"{stripped!r} is not a number")
    if not math.isfinite(value):
        raise ValueError(f"{stripped!r} is not finite")
    return value


def yes(cell: Any) -> bool | None:
    """A 0/1 or true/false cell, or None where it is missing. Raises ValueError on anything else."""
    stripped = text(cell).strip().lower()
    if stripped in BLANK:
        return None
    if stripped in YES or stripped in NO:
        return stripped in YES
    raise ValueError(f"{stripped!r} is neither 0 nor 1")


def missing_word(cell: Any) -> bool:
    """Is this cell of a text, path, label or category column empty?"""
    return text(cell).strip().lower() in BLANK


def missing_number(cell: Any) -> bool:
    """Is this cell of a numeric column empty? Text that is no number is not: it is a fault."""
    return text(cell).strip().lower() in MISSING


def columns_of(column: str | list[str] | None) -> list[str]:
    """The columns that a spec's `column` names, as a list."""
    if column is None:
        return []
    return [column] if isinstance(column, str) else list(column)
