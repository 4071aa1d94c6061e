"""Values of places laid over what they are places of: heat over a picture, behind words and cells, in strips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from PIL import Image
from scipy.ndimage import gaussian_filter

from crossfade.report.shown import SIDE, embedded, picture, shown
from crossfade.specs import ModalitySpec

AGAINST, FOR = (33, 102, 172), (178, 24, 43)  # blue and red: the ends of ColorBrewer's RdBu, safe for the colour-blind
STRONGEST = 0.75  # how much of the picture or paper the largest value covers
CHANNELS = 8  # of a series, those with the most
LARGE = 128  # pixels of a picture on the page
SMOOTH = 1.0  # cells: gradients differ in sign from pixel to pixel, and what they have in common is what can be seen
MANY = 24  # cells in a direction from which on an image's values are smoothed: those of pixels, not of patches
WIDE, HIGH = 180, 8  # pixels of a strip on the page


def heat(spec: ModalitySpec, raw: Any, rows: pd.DataFrame, share: bool = False) -> Markup:
    """One modality's values (`analysis.places`) over its raw value; red is above 0, blue below.

    The deepest colour is the largest value's, so each modality has a scale of its own. Of shares, which sum to 1, what
    is drawn is the share divided by an even one, less 1; the deepest colour is 1 (twice an even share, or none).
    Whatever comes from the data is escaped.
    """
    if raw is None or rows.empty:
        return shown(spec, raw)
    reach = 1.0 if share else None
    if share:
        rows = rows.assign(value=rows["value"] * len(rows) - 1)
    if spec.kind == "image":
        return embedded(over_picture(picture(np.asarray(raw, np.float32), spec.range), _grid(rows), reach), LARGE)
    if spec.kind == "text":
        return _words(str(raw), rows, reach)
    if spec.kind == "table":
        return _columns(dict(raw), rows, reach)
    return shown(spec, raw) + _strips(rows, reach)


def strength(values: np.ndarray, reach: float | None = None) -> np.ndarray:
    """Values divided by `reach`, or their largest size (of many, all but the outermost half percent), in [−1, 1]."""
    if reach is None:
        reach = float(np.quantile(np.abs(values), 0.995 if values.size > 200 else 1.0))
    return np.clip(values / reach, -1, 1) if reach > 0 else np.zeros_like(values)


def over_picture(below: Image.Image, values: np.ndarray, reach: float | None = None) -> Image.Image:
    """Values (h, w) over a picture: c·a + (1 − a)·grey, a ∝ |value|, at the picture's size; many are smoothed."""
    if min(values.shape) >= MANY:
        values = gaussian_filter(values, SMOOTH, mode="nearest")
    size = [max(1, round(side * LARGE / max(below.size))) for side in below.size]
    grey = np.asarray(below.convert("RGB").resize(size), np.float64)
    relative = strength(values, reach).astype(np.float32)
    fine = np.asarray(Image.fromarray(relative).resize(size, Image.Resampling.BILINEAR), np.float64)
    cover = (STRONGEST * np.abs(fine))[..., None]
    colour = np.where(fine[..., None] < 0, AGAINST, FOR)
    return Image.fromarray((cover * colour + (1 - cover) * grey).round().astype(np.uint8))


def _grid(rows: pd.DataFrame) -> np.ndarray:
    """The values at their row and column, (rows, columns)."""
    y, x = (rows[axis].to_numpy(int) for axis in ("row", "column"))
    values = np.zeros((y.max() + 1, x.max() + 1))
    values[y, x] = rows["value"]
    return values


def _span(text: str, value: float, relative: float) -> Markup:
    red, green, blue = FOR if relative >= 0 else AGAINST
    tint = f"rgba({red},{green},{blue},{STRONGEST * abs(relative):.2f})"
    return Markup('<span style="background:{}" title="{:+.4f}">{}</span>').format(tint, value, text)


def words_of(text: str, rows: pd.DataFrame) -> list[tuple[int, int, float]]:
    """Start, end and summed value of each word: pieces that letters join are one."""
    words: list[tuple[int, int, float]] = []
    for start, end, value in zip(rows["start"].astype(int), rows["end"].astype(int), rows["value"], strict=True):
        if end <= start:  # what the tokenizer adds stands for no letters
            continue
        if words and words[-1][1] == start and text[start - 1].isalnum() and text[start].isalnum():
            words[-1] = (words[-1][0], end, words[-1][2] + value)
        else:
            words.append((start, end, value))
    return words


def _words(text: str, rows: pd.DataFrame, reach: float | None) -> Markup:
    words = words_of(text, rows)
    pieces, done = [], 0
    relative = strength(np.array([value for *_, value in words] or [0.0]), reach)
    for (start, end, value), share in zip(words, relative, strict=bool(words)):
        pieces += [escape(text[done:start]), _span(text[start:end], value, share)]
        done = end
    rest = " …" if text[done:].strip() else ""
    return Markup("<q>{}{}</q>").format(Markup("").join(pieces), rest)


def _columns(raw: dict[Any, Any], rows: pd.DataFrame, reach: float | None) -> Markup:
    pieces = []
    for name, value, share in zip(
        rows["name"], rows["value"], strength(rows["value"].to_numpy(float), reach), strict=True
    ):
        cell = raw.get(name)
        missing = cell is None or cell != cell
        told = "missing" if missing else f"{cell:.4g}" if isinstance(cell, float) else str(cell)
        pieces.append(_span(f"{name} {told}", value, share))
    return Markup('<span class="cells">{}</span>').format(Markup(" · ").join(pieces))


def _strips(rows: pd.DataFrame, reach: float | None) -> Markup:
    """A strip a channel, those with the most, from left to right in time."""
    values = _grid(rows)
    names = rows.drop_duplicates("column").set_index("column")["name"].to_dict()
    most = np.sort(np.argsort(-np.abs(values).sum(0), kind="stable")[:CHANNELS])
    relative = strength(values, reach)
    strips = []
    for channel in most:
        share = relative[:, channel, None]
        colour = np.where(share < 0, AGAINST, FOR) * np.abs(share) + 255 * (1 - np.abs(share))
        strip = Image.fromarray(colour.round().astype(np.uint8)[None]).resize((SIDE, HIGH // 2), Image.Resampling.BOX)
        name = names[int(channel)]
        label = Markup(' <span class="faint">{}</span>').format(name) if isinstance(name, str) and name else ""
        strips.append(
            Markup('<div style="display:flex;gap:6px">{}{}</div>').format(embedded(strip, WIDE, exact=True), label)
        )
    more = values.shape[1] - len(most)
    note = Markup('<div class="faint">and {} with less</div>').format(more) if more > 0 else ""
    return Markup("").join(strips) + note
