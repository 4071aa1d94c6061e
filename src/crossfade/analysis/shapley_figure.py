"""The figure of Shapley values and interactions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from crossfade.analysis.results_table import short, short_change
from crossfade.drawing import BLUE, INK, STYLE, save


@rc_context(STYLE)
def draw_shares(values: pd.DataFrame, pairs: pd.DataFrame | None, of: str, path: Path) -> None:
    """Left: each modality's Shapley value with its interval, the largest above; right: interactions of pairs.

    `values` has the columns modality, value, low, high; `pairs` modality and one column per modality, None where the
    interactions are not known.
    """
    shown = values.sort_values("value", ascending=False)
    names = [str(name) for name in shown["modality"]]
    side = 0.42 * len(names)
    if pairs is None:
        figure = Figure(figsize=(5.6, max(2.2, 1.2 + side)))
        _bars(figure.subplots(), shown, names, of)
        save(figure, path)
        return
    figure = Figure(figsize=(4.6 + side + 1.4, max(2.2, 1.2 + side)))
    left, right = figure.subplots(1, 2, width_ratios=[3.4, side + 0.4])
    _bars(left, shown, names, of)
    _pairs(right, pairs.set_index("modality").loc[names, names].to_numpy(float), names)
    save(figure, path)


def _bars(axes: Axes, shown: pd.DataFrame, names: list[str], of: str) -> None:
    value, low, high = (shown[column].to_numpy(float) for column in ("value", "low", "high"))
    axes.barh(range(len(names)), value, color=BLUE, height=0.64)
    reach = np.maximum([value - low, high - value], 0)
    axes.errorbar(value, range(len(names)), xerr=reach, fmt="none", color=INK, lw=1.2, capsize=2.5)
    for row, one in enumerate(value):
        axes.text(1.02, row, short(one), transform=axes.get_yaxis_transform(), va="center")
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(f"Shapley value: {of}")


def _pairs(axes: Axes, pairs: np.ndarray, names: list[str]) -> None:
    reach = max(float(np.abs(pairs).max()), 1e-9)
    shown = np.where(np.eye(len(names), dtype=bool), np.nan, pairs)
    axes.imshow(shown, cmap="RdBu", vmin=-reach, vmax=reach)
    for (row, column), one in np.ndenumerate(shown):
        if row != column:
            colour = "white" if abs(one) > 0.6 * reach else INK
            axes.text(column, row, short_change(one, 2), ha="center", va="center", color=colour, size=7)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("interaction: + synergy, − redundancy", loc="left", size=8)
