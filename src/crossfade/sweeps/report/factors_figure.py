"""Figures of the swept settings: importance, the heat map of two, parallel coordinates of more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from crossfade.analysis.results_table import short
from crossfade.drawing import BLUE, GREY, INK, STYLE, save
from crossfade.sweeps.report.factors import Grid, factors_of, spoken_level, varying_factors
from crossfade.sweeps.report.settings import Setting

BARS = 8  # shares that are shown one by one
SPREAD = 0.06  # of an axis' length
NONE = -0.14  # where a line passes an axis that its setting does not have
_PAPER: Any = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}


@rc_context(STYLE)
def draw_importance(grid: Grid, path: Path) -> None:
    """A bar per part of the variance, the largest above; what seeds and folds differ by in grey."""
    shown = grid.shares[:BARS]
    names = [grid.named(share) for share in shown]
    rest = sum(share.share for share in grid.shares[BARS:])
    if rest > 0:
        names.append(f"{len(grid.shares) - BARS} more")
    values = np.array([*(share.share for share in shown), *([rest] if rest > 0 else [])])
    repeats = [share.axes == (len(grid.levels),) for share in shown] + [False] * (rest > 0)
    figure = Figure(figsize=(4.6, 0.75 + 0.3 * len(values)))
    axes = figure.add_subplot()
    axes.barh(range(len(values)), 100 * values, color=[GREY if r else BLUE for r in repeats], height=0.64)
    for row, value in enumerate(values):
        axes.text(1.02, row, f"{100 * value:.1f} %", transform=axes.get_yaxis_transform(), va="center")
    axes.set_yticks(range(len(values)), names)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.grid(axis="x")
    axes.set_xlabel("share of the metric's variance in the grid, %")
    save(figure, path)


@rc_context(STYLE)
def draw_heat_map(grid: Grid, rows: str, columns: str, metric: str, better: str, path: Path) -> None:
    """Means over everything else, a cell per pair of levels; the best one framed."""
    means = grid.over(rows, columns)
    figure = Figure(figsize=(2.0 + 0.56 * means.shape[1], 1.15 + 0.34 * means.shape[0]))
    axes = figure.add_subplot()
    colours = colormaps["Blues" if better == "max" else "Blues_r"]
    image = axes.imshow(means, cmap=colours, aspect="auto")
    for (row, column), value in np.ndenumerate(means):
        dark = (value - means.min() if better == "max" else means.max() - value) > 0.6 * np.ptp(means)
        axes.text(column, row, short(value), ha="center", va="center", color="white" if dark else INK, size=8)
    best = np.unravel_index((means if better == "max" else -means).argmax(), means.shape)
    frame = [best[1] - 0.48, best[0] - 0.46]
    axes.add_patch(_frame(frame))
    axes.set_xticks(range(means.shape[1]), [spoken_level(v) for v in grid.levels[columns]])
    axes.set_yticks(range(means.shape[0]), [spoken_level(v) for v in grid.levels[rows]])
    axes.tick_params(length=0)
    axes.set_xlabel(columns)
    axes.set_ylabel(rows)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, pad=0.02, aspect=12)
    bar.outline.set_visible(False)
    bar.set_label(metric)
    save(figure, path)


def _frame(corner: Sequence[float]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((corner[0], corner[1]), 0.96, 0.92, fill=False, edgecolor=INK, lw=1.6)


@rc_context(STYLE)
def draw_parallel(settings: Sequence[Setting], metric: str, better: str, path: Path) -> None:
    """Parallel coordinates: an axis per factor, the metric at the right, a line per setting, the best drawn last.

    A setting in which a factor plays no part passes below that axis.
    """
    factors = varying_factors(settings)
    means = np.array([s.mean for s in settings])
    low, high = float(means.min()), float(means.max())
    norm = Normalize(low, high if high > low else low + 1e-9)
    colours = colormaps["viridis_r" if better == "max" else "viridis"]  # dark is good, and pale fades on paper
    names = [*factors, metric]
    figure = Figure(figsize=(1.1 + 1.5 * len(names), 3.4))
    axes = figure.add_subplot()
    rank = means if better == "max" else -means
    paths, shades = [], []
    for i in np.argsort(rank, kind="stable"):
        described = factors_of(settings[i])
        aside = SPREAD * (norm(means[i]) - 0.5)  # lines of one level lie beside each other, ordered by the metric
        heights = [_height(described.get(name), levels) + aside for name, levels in factors.items()]
        paths.append(np.column_stack([np.arange(len(names)), [*heights, norm(means[i])]]))
        shades.append(colours(norm(means[i])))
    thin = len(settings) > 60
    axes.add_collection(LineCollection(paths, colors=shades, lw=0.7 if thin else 1.2, alpha=0.6 if thin else 0.85))
    for place, (name, levels) in enumerate(factors.items()):
        axes.plot([place, place], [0, 1], color=INK, lw=0.9, zorder=3)
        for level in levels:
            at = (place + 0.03, _height(level, levels))
            axes.text(*at, spoken_level(level), va="center", size=7.5, zorder=4, bbox=_PAPER)
        axes.text(place, 1.09, name, ha="center", size=8.5, weight="bold")
    last = len(names) - 1
    axes.plot([last, last], [0, 1], color=INK, lw=0.9)
    for share in (0, 0.5, 1):
        axes.text(last + 0.04, share, short(low + share * (high - low)), va="center", size=7.5)
    axes.text(last, 1.09, metric, ha="center", size=8.5, weight="bold")
    if any(name not in factors_of(s) for s in settings for name in factors):
        axes.text(-0.12, NONE, "none", ha="right", va="center", size=7.5, color=GREY)
    axes.set_xlim(-0.35, last + 0.4)
    axes.set_ylim(NONE - 0.06, 1.16)
    axes.set_axis_off()
    figure.colorbar(ScalarMappable(norm, colours), ax=axes, pad=0.01, aspect=22, label=metric)
    save(figure, path)


def _height(value: Any, levels: Sequence[Any]) -> float:
    if value is None:
        return NONE
    return levels.index(value) / (len(levels) - 1)
