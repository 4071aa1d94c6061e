"""Parallel coordinates: an axis per setting that varies, the metric at the right, a line per point."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from crossfade.analysis.results_table import short
from crossfade.drawing import GREY, INK, STYLE, save
from crossfade.sweeps.report.factors import several_levels, spoken_level

SPREAD = 0.06  # of an axis' length
NONE = -0.14  # where a line passes an axis that its point does not have
LEVELS = 12  # that are named one by one; an axis of more numbers is a scale
THIN = 60  # lines
_PAPER: Any = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}


@dataclass(frozen=True)
class Axis:
    """One setting's axis: its levels at even distances, or a scale from the lowest to the highest number."""

    levels: Sequence[Any]
    log: bool

    @property
    def is_scale(self) -> bool:
        return len(self.levels) > LEVELS and all(isinstance(v, int | float) for v in self.levels)

    def height(self, value: Any) -> float:
        """From 0 to 1; `NONE` for a point without this setting."""
        if value is None:
            return NONE
        if not self.is_scale:
            return self.levels.index(value) / (len(self.levels) - 1)
        low, high, at = (math.log(v) if self.log else v for v in (self.levels[0], self.levels[-1], value))
        return (at - low) / (high - low)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Heights and what stands there."""
        if not self.is_scale:
            yield from ((self.height(level), spoken_level(level)) for level in self.levels)
            return
        low, high = self.levels[0], self.levels[-1]
        if self.log:
            powers = [10.0**k for k in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
            marks = powers if len(powers) > 1 else [low, high]
        else:
            marks = [v for v in MaxNLocator(4).tick_values(low, high) if low <= v <= high]
        yield from ((self.height(mark), f"{mark:.3g}") for mark in marks)


@rc_context(STYLE)
def draw_parallel(
    points: Sequence[tuple[Mapping[str, Any], float]], metric: str, better: str, path: Path, logs: Collection[str] = ()
) -> None:
    """Points as (values by name, metric), the best drawn last; `logs` are the names whose scale is logarithmic.

    A point in which a setting plays no part passes below that axis.
    """
    described, means = [values for values, _ in points], np.array([mean for _, mean in points])
    axis_of = {name: Axis(levels, name in logs) for name, levels in several_levels(described).items()}
    low, high = float(means.min()), float(means.max())
    norm = Normalize(low, high if high > low else low + 1e-9)
    colours = colormaps["viridis_r" if better == "max" else "viridis"]  # dark is good, and pale fades on paper
    names = [*axis_of, metric]
    figure = Figure(figsize=(1.1 + 1.5 * len(names), 3.4))
    axes = figure.add_subplot()
    paths, shades = [], []
    for i in np.argsort(means if better == "max" else -means, kind="stable"):
        heights = []
        for name, axis in axis_of.items():
            # lines of one level lie beside each other, ordered by the metric
            aside = 0.0 if axis.is_scale else SPREAD * (norm(means[i]) - 0.5)
            heights.append(axis.height(described[i].get(name)) + aside)
        paths.append(np.column_stack([np.arange(len(names)), [*heights, norm(means[i])]]))
        shades.append(colours(norm(means[i])))
    thin = len(points) > THIN
    axes.add_collection(LineCollection(paths, colors=shades, lw=0.7 if thin else 1.2, alpha=0.6 if thin else 0.85))
    for place, (name, axis) in enumerate(axis_of.items()):
        axes.plot([place, place], [0, 1], color=INK, lw=0.9, zorder=3)
        for height, text in axis.ticks():
            axes.text(place + 0.03, height, text, va="center", size=7.5, zorder=4, bbox=_PAPER)
        axes.text(place, 1.09, name, ha="center", size=8.5, weight="bold")
    last = len(names) - 1
    axes.plot([last, last], [0, 1], color=INK, lw=0.9)
    for share in (0, 0.5, 1):
        axes.text(last + 0.04, share, short(low + share * (high - low)), va="center", size=7.5)
    axes.text(last, 1.09, metric, ha="center", size=8.5, weight="bold")
    if any(name not in values for values in described for name in axis_of):
        axes.text(-0.12, NONE, "none", ha="right", va="center", size=7.5, color=GREY)
    axes.set_xlim(-0.35, last + 0.4)
    axes.set_ylim(NONE - 0.06, 1.16)
    axes.set_axis_off()
    figure.colorbar(ScalarMappable(norm, colours), ax=axes, pad=0.01, aspect=22, label=metric)
    save(figure, path)
