"""The inner curves of a nested cross-validation, a panel an outer split: what α was chosen by, and its worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from crossfade.analysis.results_table import short
from crossfade.drawing import GREY, INK, STYLE, save
from crossfade.search.page.nested import Split

MOST = 12  # panels
COLUMNS = 5


@rc_context(STYLE)
def draw_inner(splits: Sequence[Split], colour: str, metric: str, modality: str, path: Path) -> None:
    """A panel per outer split: each inner fold a thin line, their mean with ± one standard error, the chosen α, the
    outer score. The mean of all splits lies behind each of them in grey."""
    shown = splits[:MOST]
    folds = len({split.fold for split in shown})
    columns = folds if 1 < folds <= COLUMNS and len(shown) > folds else min(COLUMNS, len(shown))  # a row per seed
    rows = -(-len(shown) // columns)
    height = 1.75 if columns > 2 else 2.4
    figure = Figure(figsize=(max(6.2, 1.1 + 2.15 * columns), 0.85 + height * rows))  # the legend needs 6 inches
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    whole = [split.scores.mean(1) for split in splits if np.isfinite(split.scores).all()]
    common = np.mean(whole, axis=0) if len(whole) > 1 else None
    for place, split in enumerate(shown):
        _panel(axes[place // columns, place % columns], split, colour, common)
    for place in range(len(shown), rows * columns):
        axes[place // columns, place % columns].set_axis_off()
        axes[place // columns - 1, place % columns].tick_params(labelbottom=True)
    axes[0, 0].set_ylim(*_limits(shown))
    axes[0, 0].set_xlim(-0.04, 1.04)
    figure.supxlabel(f"α, the weight of {modality}", size=9)
    figure.supylabel(metric, size=9)
    figure.legend(
        handles=_legend(colour, common is not None), loc="outside upper left", ncols=3, fontsize=7.5, handlelength=1.6
    )
    save(figure, path)


def _panel(axes: Axes, split: Split, colour: str, common: np.ndarray | None) -> None:
    alpha = np.asarray(split.alphas)
    if common is not None:
        axes.plot(alpha, common, color=GREY, lw=1.1, zorder=1)
    for fold in split.scores.T:
        known = np.isfinite(fold)
        axes.plot(alpha[known], fold[known], color=colour, lw=0.6, alpha=0.45)
    if np.isfinite(split.scores).all():
        mean = split.scores.mean(1)
        error = split.scores.std(1, ddof=1) / math.sqrt(split.scores.shape[1])
        axes.fill_between(alpha, mean - error, mean + error, color=colour, alpha=0.16, lw=0)
        axes.plot(alpha, mean, color=colour, lw=1.7, marker="o", ms=2.6)
    title = split.label
    if split.choice is not None:
        at = split.choice.chosen
        axes.axvline(alpha[at], color=INK, lw=0.8, ls=":", zorder=0)
        axes.plot(alpha[at], split.scores[at].mean(), "o", ms=8, mfc="none", mec=INK, mew=1.3)
        if not math.isnan(split.outer):
            axes.plot(alpha[at], split.outer, "D", ms=5.5, mfc="white", mec=INK, mew=1.3, zorder=5)
        title += f", α = {short(alpha[at], 2)}"
    else:
        title += ", not complete"
    axes.set_title(title, loc="left", size=8)
    axes.grid(axis="y")
    axes.set_xticks([0, 0.5, 1])
    axes.tick_params(labelsize=8)


def _limits(splits: Sequence[Split]) -> tuple[float, float]:
    values = np.concatenate([[*s.scores.ravel(), s.outer] for s in splits])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = 0.06 * max(high - low, 1e-3)
    return low - room, high + room


def _legend(colour: str, common: bool) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=colour, lw=1.7, marker="o", ms=3, label="mean of the inner folds"),
        Patch(color=colour, alpha=0.2, label="± one standard error"),
        Line2D([], [], color=colour, lw=0.6, alpha=0.6, label="one inner fold"),
        Line2D([], [], color=INK, ls=":", marker="o", ms=7, mfc="none", lw=0.8, label="chosen α"),
        Line2D([], [], color=INK, ls="", marker="D", ms=5, mfc="white", label="its score on the outer test split"),
    ]
    if common:
        handles.append(Line2D([], [], color=GREY, lw=1.1, label="mean over all outer splits"))
    return handles
