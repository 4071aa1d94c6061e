"""The truth of a target, read from a manifest's columns."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from crossfade.data.readers.cells import columns_of, number, word, words, yes
from crossfade.specs import TargetSpec


def read_truth(table: pd.DataFrame, target: TargetSpec) -> list[Any]:
    """The raw truth of `specs.TargetSpec` per row, None where it is unknown.

    multiclass: the label. multilabel: the labels that hold, from one column that joins them by "|" (a lone "|":
    none holds) or from one 0/1 column per label. regression: a float, or a list of floats with NaN where one of
    several is unknown.
    Raises ValueError on a cell that does not fit; `manifest_check` finds those first and names them.
    """
    if target.kind == "multiclass":
        return list(words(table[target.column]))
    if isinstance(target.column, str):
        read = _labels if target.kind == "multilabel" else number
        return [read(cell) for cell in table[target.column]]
    rows = table[columns_of(target.column)].itertuples(index=False, name=None)
    if target.kind == "multilabel":
        return [_flags(row, columns_of(target.column)) for row in rows]
    return [_numbers(row) for row in rows]


def _labels(cell: Any) -> list[str] | None:
    joined = word(cell)
    return None if joined is None else [part.strip() for part in joined.split("|") if part.strip()]


def _flags(row: tuple[Any, ...], labels: list[str]) -> list[str] | None:
    flags = [yes(cell) for cell in row]
    if all(flag is None for flag in flags):
        return None
    if any(flag is None for flag in flags):
        raise ValueError("some of the label columns are blank: fill in all of a row or none")
    return [label for label, flag in zip(labels, flags, strict=True) if flag]


def _numbers(row: tuple[Any, ...]) -> list[float] | None:
    values = [number(cell) for cell in row]
    if all(value is None for value in values):
        return None
    return [math.nan if value is None else value for value in values]
