"""The critical-difference diagram: several models by their mean ranks, those not distinguishable joined by a bar.

Demšar 2006, JMLR 7, figure 1. Its two tests take the blocks for independent, as different data sets are. Seeds and
folds of one data set share samples, so there the diagram finds too much rather than too little: of two models the
corrected t-test (`statistics.corrected_t`) has the last word.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossfade.analysis.statistics import Ranking, rank_models
from crossfade.analysis.verdict import spoken_p
from crossfade.drawing import BLUE, GREY, INK, STYLE, save

AXIS, ROW, HEAD = 4.0, 0.2, 0.85  # inches: the axis of the ranks, a line of names, what stands above the axis
LETTER = 0.076  # inches of a letter, about


def ranking_of(table: pd.DataFrame, better: str = "max", level: float = 0.95) -> Ranking:
    """Ranks of the models (columns) over the blocks (rows: seeds and folds, data sets, targets), best "max" or "min".

    A block in which a model has no value (NaN) does not count. Raises ValueError where that leaves fewer than two
    blocks, and for fewer than three models.
    """
    return rank_models(table.dropna().to_numpy(float), better, level)


def indistinguishable(ranking: Ranking, level: float = 0.95) -> list[list[int]]:
    """The largest sets of models of which no two differ: numbers of the columns, best first; sets may overlap.

    Mean ranks differ where they are more than the critical difference apart (Nemenyi's test). That is asked only
    where Friedman's test finds any difference; else all models are one set. A model alone is no set.
    """
    order = np.argsort(ranking.ranks, kind="stable").tolist()
    if not ranking.p < 1 - level:
        return [order]
    found: list[list[int]] = []
    end = 0
    for start, first in enumerate(order):
        reach = ranking.ranks[first] + ranking.critical + 1e-12
        last = max(i for i, model in enumerate(order) if ranking.ranks[model] <= reach)
        if last > start and last >= end + (start > 0):  # else it lies within the one before
            found.append(order[start : last + 1])
        end = max(end, last)
    return found


@rc_context(STYLE)
def draw_critical_difference(
    table: pd.DataFrame, path: Path, better: str = "max", level: float = 0.95, blocks: str = ""
) -> Ranking:
    """Draw the diagram of a table (blocks × models) and return the ranks; the best model stands at the left.

    `blocks` says what the rows are ("5 seeds × 5 folds"). Raises ValueError as `ranking_of` does.
    """
    ranking = ranking_of(table, better, level)
    names = [str(name) for name in table.columns]
    sets = indistinguishable(ranking, level)
    bars = _levels(sets)
    deepest = max(bars, default=-1) + 1
    rows = math.ceil(len(names) / 2)
    below = 0.35 + 0.45 * deepest  # rows between the axis and the first name
    height = HEAD + ROW * (below + rows + 0.4)
    margin = (max(map(len, names)) + 9) * LETTER  # of a name and its rank
    width = AXIS + 2 * margin
    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("none")
    axes = figure.add_axes((margin / width, 0, AXIS / width, 1 - HEAD / height))
    axes.set_axis_off()
    axes.set_xlim(1, len(names))
    axes.set_ylim(below + rows + 0.4, 0)
    _scale(axes, len(names))
    _ruler(axes, ranking.critical, len(names))
    for members, depth in zip(sets, bars, strict=True):
        ends = [ranking.ranks[members[0]] - 0.04, ranking.ranks[members[-1]] + 0.04]
        axes.plot(ends, [0.35 + 0.45 * depth] * 2, color=BLUE, lw=4, solid_capstyle="round", clip_on=False, zorder=3)
    _names(axes, names, ranking, below)
    over = blocks or f"{len(table.dropna())} blocks"
    says = f"Friedman {spoken_p(ranking.p)} over {over}"
    says += "" if ranking.p < 1 - level else ": no difference among them"
    figure.text(margin / width, 1 - 0.06 / height, says, ha="left", va="top")
    save(figure, path)
    return ranking


def _levels(sets: Sequence[Sequence[int]]) -> list[int]:
    """The line on which each set's bar is drawn: sets share a line where no model is in both."""
    lines: list[set[int]] = []
    chosen = []
    for members in sets:
        free = next((i for i, taken in enumerate(lines) if not taken & set(members)), len(lines))
        if free == len(lines):
            lines.append(set())
        lines[free] |= set(members)
        chosen.append(free)
    return chosen


def _scale(axes: Axes, models: int) -> None:
    """The axis of the ranks, from 1 to the number of models."""
    axes.plot([1, models], [0, 0], color=INK, lw=1, clip_on=False)
    step = max(1, models // 12)
    for rank in range(1, models + 1):
        axes.plot([rank, rank], [0, -0.35 if rank % step == 1 % step else -0.18], color=INK, lw=0.8, clip_on=False)
        if (rank - 1) % step == 0:
            axes.text(rank, -0.5, str(rank), ha="center", va="bottom")


def _ruler(axes: Axes, critical: float, models: int) -> None:
    """The critical difference, to scale, above the best ranks; one longer than the axis is given as a number."""
    y = -2.2
    shown = min(critical, models - 1)
    axes.plot([1, 1 + shown], [y, y], color=INK, lw=1.2, clip_on=False)
    for end in (1, 1 + shown)[: 2 if shown == critical else 1]:
        axes.plot([end, end], [y - 0.25, y + 0.25], color=INK, lw=1.2, clip_on=False)
    axes.text(1, y - 0.25, f"critical difference {critical:.2f}", ha="left", va="bottom", clip_on=False)


def _names(axes: Axes, names: Sequence[str], ranking: Ranking, below: float) -> None:
    """The better half at the left, the others at the right; the nearer to the end of the axis, the higher."""
    order = np.argsort(ranking.ranks, kind="stable").tolist()
    half = math.ceil(len(names) / 2)
    edges = (1, len(names))
    reach = 0.02 * (edges[1] - edges[0])
    for place, model in enumerate(order):
        left = place < half
        row = place if left else len(order) - 1 - place
        y, end = below + row + 0.5, edges[0] - reach if left else edges[1] + reach
        rank = ranking.ranks[model]
        axes.plot([rank, rank, end], [0, y, y], color=INK if place == 0 else GREY, lw=0.9, clip_on=False)
        label = f"{names[model]}  {rank:.2f}" if left else f"{rank:.2f}  {names[model]}"
        weight = "bold" if place == 0 else "normal"
        axes.text(end - reach / 2 if left else end + reach / 2, y, label, weight=weight,
                  ha="right" if left else "left", va="center", clip_on=False)  # fmt: skip
