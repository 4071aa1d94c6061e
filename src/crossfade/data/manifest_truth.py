"""The truth of a target, read from a manifest's columns in the form that the target's class names."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from crossfade.data.readers import Fault
from crossfade.data.readers.arrays import load_array
from crossfade.data.readers.cells import columns_of, number, text, word, words, yes
from crossfade.data.readers.image import read_image
from crossfade.data.readers.paths import Root
from crossfade.errors import ReadError
from crossfade.specs import TargetSpec
from crossfade.targets import target_class

FORMS = {
    "label": "one label",
    "labels": 'the labels that hold: one column that joins them by "|" (a lone "|": none), or a 0/1 column per label',
    "numbers": "a number, or one column per number",
    "fields": "a word in each of several columns, blank where there is none",
    "json": "a JSON text",
    "image": "the path of a picture, (H, W)",
    "array": "the path of a .npy file",
}
FILES = ("image", "array")  # forms whose cell is a path


def form_of(target: TargetSpec) -> str:
    """One of FORMS."""
    return target_class(target).form


def read_truth(table: pd.DataFrame, target: TargetSpec, root: Root) -> list[Any]:
    """The raw truth per row, None where it is unknown; what stands in files as a function that reads it.

    Of several numbers some may be unknown: NaN. Of fields all blank is unknown.
    Raises ValueError on a cell that does not fit; `manifest_check` finds those first and names them.
    """
    form = form_of(target)
    columns = columns_of(target.column)
    if form == "label":
        return list(words(table[columns[0]]))
    if form == "fields" or len(columns) > 1:
        rows = table[columns].itertuples(index=False, name=None)
        several = {"fields": _fields, "labels": _flags, "numbers": _numbers}[form]
        return [several(row, columns) for row in rows]
    one: dict[str, Callable[[Any], Any]] = {"labels": _labels, "numbers": number, "json": read_json_cell}
    return [one[form](cell) if form in one else _file(form, root, cell) for cell in table[columns[0]]]


def _file(form: str, root: Root, cell: Any) -> Callable[[], Any] | None:
    name = word(cell)
    return None if name is None else partial(_read_file, form, root.path(name))


def _read_file(form: str, path: Path) -> Any:
    try:
        return read_image(path, 1)[0] if form == "image" else load_array(path)
    except (Fault, OSError) as fault:
        raise ReadError(f"{path}: {fault}.", "") from fault


def read_json_cell(cell: Any) -> Any:
    """The value of a JSON text, None where the cell is blank. Raises ValueError."""
    written = text(cell).strip()
    try:
        return json.loads(written) if written else None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error})") from error


def _fields(row: tuple[Any, ...], columns: list[str]) -> dict[str, str | None] | None:
    named = {column: word(cell) for column, cell in zip(columns, row, strict=True)}
    return named if any(named.values()) else None


def _labels(cell: Any) -> list[str] | None:
    joined = word(cell)
    return None if joined is None else [part.strip() for part in joined.split("|") if part.strip()]


def _flags(row: tuple[Any, ...], columns: list[str]) -> list[str] | None:
    flags = [yes(cell) for cell in row]
    if all(flag is None for flag in flags):
        return None
    if any(flag is None for flag in flags):
        raise ValueError("some of the label columns are blank: fill in all of a row or none")
    return [label for label, flag in zip(columns, flags, strict=True) if flag]


def _numbers(row: tuple[Any, ...], columns: list[str]) -> list[float] | None:
    values = [number(cell) for cell in row]
    if all(value is None for value in values):
        return None
    return [math.nan if value is None else value for value in values]
