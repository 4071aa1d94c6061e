"""Values of the places of an input (pixels, words, columns, steps) as a table, one row a place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from tokenizers import Tokenizer

from crossfade.specs import ModalitySpec

SIDE = 48  # cells that an image has in a direction at most, and a series or a sound of steps: four times as many
COLUMNS = ["modality", "kind", "row", "column", "start", "end", "name", "value"]


def places_of(spec: ModalitySpec, fitted: Mapping[str, Any], raw: Any, values: np.ndarray) -> pd.DataFrame:
    """The rows of one modality of one sample; their values sum to those given, whose shape is the input's or coarser.

    image (C, H, W) or (H, W): a row a cell of the image, channels summed. text (L,): a row a word piece; start and end
    are its letters in the raw text. table (F,): a row a column. series (T, C) or (T,): a row a step and channel, start
    and end in s. audio (T,): a row a stretch, in s. A series or sound of fewer values than samples has stretches of
    equal length.
    """
    kind = spec.kind
    if kind == "image":
        rows = _cells(values)
    elif kind == "text":
        rows = _pieces(fitted, str(raw), values)
    elif kind == "table":
        names = [column["name"] for column in fitted["columns"]]
        rows = [{"row": f, "name": names[f], "value": value} for f, value in enumerate(values)]
    else:
        rows = _steps(spec, int(fitted["length"]), values)
    return pd.DataFrame([{"modality": spec.name, "kind": kind, **row} for row in rows], columns=COLUMNS)


def _cells(values: np.ndarray) -> list[dict[str, Any]]:
    heat = values.sum(0) if values.ndim == 3 else values
    for axis in (0, 1):
        heat = _shorter(heat, axis, SIDE)
    return [{"row": y, "column": x, "value": value} for (y, x), value in np.ndenumerate(heat)]


def _shorter(values: np.ndarray, axis: int, most: int) -> np.ndarray:
    """Neighbours along an axis summed, as many to each that no more than `most` are left."""
    step = -(-values.shape[axis] // most)
    return np.add.reduceat(values, np.arange(0, values.shape[axis], step), axis)


def _pieces(fitted: Mapping[str, Any], text: str, values: np.ndarray) -> list[dict[str, Any]]:
    encoded = Tokenizer.from_str(fitted["tokenizer"]).encode(text)
    there = np.array(encoded.attention_mask, bool)
    # what a padding adds (nothing: it is not attended to) would have no place in the text
    return [
        {"row": i, "start": encoded.offsets[i][0], "end": encoded.offsets[i][1], "name": encoded.tokens[i], "value": v}
        for i, v in enumerate(values)
        if there[i] or v
    ]


def _steps(spec: ModalitySpec, length: int, values: np.ndarray) -> list[dict[str, Any]]:
    table = values[:, None] if values.ndim == 1 else values
    whole = -(-length // len(table)) * len(table)  # patches of the last few steps reach beyond the end
    rate = spec.rate or 1.0
    step = -(-len(table) // (4 * SIDE))
    table = _shorter(table, 0, 4 * SIDE)
    width = step * whole / (len(values) * rate)
    names = channel_names(spec, table.shape[1]) if values.ndim == 2 else [""]
    return [
        {"row": t, "column": c, "start": t * width, "end": (t + 1) * width, "name": names[c], "value": value}
        for (t, c), value in np.ndenumerate(table)
    ]


def channel_names(spec: ModalitySpec, count: int) -> list[str]:
    """What the manifest's columns or the units call the channels, else their numbers."""
    for names in (spec.column, list(spec.unit) if isinstance(spec.unit, dict) else None):
        if isinstance(names, list) and len(names) == count:
            return [str(name) for name in names]
    return [spec.column] if count == 1 and isinstance(spec.column, str) else [str(i) for i in range(count)]
