"""Raw values of a modality as something to look at: a picture, a curve, words, a small table."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup, escape
from PIL import Image

from crossfade.report.packed import data_url, within
from crossfade.specs import ModalitySpec

SIDE, WORDS, CELLS, POINTS = 96, 300, 24, 160  # pixels, letters, cells, places of a curve
CHANNELS = 4  # of a series
UNITS = (("h", 3600), ("min", 60), ("s", 1))  # of how long it is: the largest that gives 2 or more
DENSE = 3  # points in a cell from which on it is as dark as can be


def shown(spec: ModalitySpec, value: Any) -> Markup:
    """HTML of one value as its source gives it; None is an absent modality."""
    if value is None:
        return Markup('<span class="faint">absent</span>')
    if spec.kind == "image":
        return _picture(np.asarray(value, np.float32), spec.range)
    if spec.kind == "text":
        text = str(value)
        return Markup("<q>{}</q>").format(text if len(text) <= WORDS else text[:WORDS] + " …")
    if spec.kind == "table":
        return _cells(value)
    if spec.kind in ("audio", "series"):
        return _curves(np.asarray(value, np.float64)) + _lasting(np.asarray(value), spec)
    return _cloud(np.asarray(value, np.float64), spec)


def _cloud(points: np.ndarray, spec: ModalitySpec) -> Markup:
    """From above, x up and y to the left: how many points stand in each cell of the extent, or of where they are."""
    places = points[np.isfinite(points[:, :2]).all(1), :2]
    if len(places) == 0:
        return Markup('<span class="faint">no points</span>')
    low, high = places.min(0), places.max(0) + 1e-6
    if spec.extent is not None:
        low, high = np.array(spec.extent[::2]), np.array(spec.extent[1::2])
    counts, *_ = np.histogram2d(-places[:, 0], -places[:, 1], bins=SIDE // 3, range=np.stack([-high, -low], 1))
    shade = 255 - np.minimum(counts, DENSE) / DENSE * 210
    image = Image.fromarray(shade.astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    return embedded(image, exact=True) + Markup('<span class="faint">{:,} points from above</span>').format(len(points))


def _picture(image: np.ndarray, limits: Any) -> Markup:
    more = image.ndim == 3 and len(image) not in (1, 3)
    note = Markup('<span class="faint">channel 1 of {}</span>').format(len(image)) if more else Markup("")
    return embedded(picture(image, limits)) + note


def picture(image: np.ndarray, limits: Any) -> Image.Image:
    """The first channel in grey, or three as colours; its values from the unit's range, or from 1 to 99 %."""
    channels = image[:3] if len(image) == 3 else image[:1]
    channels = channels[:, :, :] if channels.ndim == 3 else channels[None]
    finite = channels[np.isfinite(channels)]
    low, high = limits or (np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0))
    scaled = np.nan_to_num((channels - low) / max(float(high - low), 1e-9)).clip(0, 1) * 255
    pixels = np.moveaxis(scaled.astype(np.uint8), 0, -1)
    return Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0])


def embedded(image: Image.Image, width: int = SIDE, exact: bool = False) -> Markup:
    """An <img> of that width which holds the picture itself, its longer side no longer than that."""
    url = data_url(within(image, width), exact)
    return Markup('<img alt="" width="{}" src="{}">').format(width, url)


def _cells(values: Any) -> Markup:
    known = [(name, value) for name, value in dict(values).items() if value is not None and value == value]
    rows = [f"{escape(name)} {_number(value)}" for name, value in known[:CELLS]]
    more = f" and {len(known) - CELLS} more" if len(known) > CELLS else ""
    return Markup('<span class="cells">{}{}</span>').format(Markup(" · ".join(rows)), more)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(escape(value))


def _lasting(values: np.ndarray, spec: ModalitySpec) -> Markup:
    """How many channels a series has, each drawn to the same height, and how long it or a sound is."""
    told = []
    if spec.kind == "series":
        channels = values.reshape(len(values), -1).shape[1]
        few = f"{channels} channel{'s' * (channels > 1)}"
        drawn = few if channels <= CHANNELS else f"the first {CHANNELS} of {few}"
        told.append(drawn)
    if spec.rate:
        seconds = len(values) / spec.rate
        unit, size = next((u, n) for u, n in UNITS if seconds >= 2 * n or n == 1)
        told.append(f"{seconds / size:.3g} {unit}")
    return Markup('<span class="faint">{}</span>').format(", ".join(told))


def _curves(values: np.ndarray) -> Markup:
    """Every column scaled to the same height; of many steps the mean of each stretch."""
    columns = values.reshape(len(values), -1)[:, :CHANNELS]
    step = max(1, len(columns) // POINTS)
    usable = len(columns) // step * step
    means = np.nan_to_num(columns[:usable].reshape(-1, step, columns.shape[1]).mean(1))
    if step > 1 and columns.shape[1] == 1:  # of a sound: the loudness
        means = np.abs(columns[:usable]).reshape(-1, step, 1).mean(1)
    low, high = means.min(0), means.max(0)
    scaled = 38 - 36 * (means - low) / np.where(high > low, high - low, 1.0)
    x = np.linspace(0, 180, len(means))
    lines = [
        Markup('<polyline points="{}"/>').format(" ".join(f"{a:.0f},{b:.1f}" for a, b in zip(x, column, strict=True)))
        for column in scaled.T
    ]
    return Markup('<svg class="curve" viewBox="0 0 180 40" width="180" height="40">{}</svg>').format(
        Markup("").join(lines)
    )
