"""Figures of the swept settings: importance, and the heat map of two."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure

from crossfade.analysis.results_table import short
from crossfade.drawing import BLUE, GREY, INK, STYLE, save
from crossfade.sweeps.report.factors import Grid, spoken_level

BARS = 8  # shares that are shown one by one


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
