"""The figure of certainty: the risk of what is predicted surely, and conformal sets by presence pattern."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from crossfade.analysis.confidence import selective_risk
from crossfade.analysis.results_table import short
from crossfade.drawing import BLUE, GREY, INK, ORANGE, STYLE, save


@rc_context(STYLE)
def draw_certainty(table: pd.DataFrame, probability: np.ndarray, label: np.ndarray, path: Path) -> None:
    """Left: error among the share of samples predicted with most confidence; right: coverage and size of the sets.

    `table` is `certainty_table`, the full pattern first; `probability` (N, C) and `label` (N,) of the test split.
    """
    figure = Figure(figsize=(6.8, 2.8))
    left, right = figure.subplots(1, 2)
    coverage, risk = selective_risk(probability, label)
    left.plot(coverage, risk, color=BLUE)
    left.axhline(risk[-1], color=GREY, ls="--", lw=1)
    left.set_xlim(0, 1)
    left.set_ylim(bottom=0)
    left.set_xlabel("share of the samples, the surest first")
    left.set_ylabel("error among them")
    left.set_title(f"mean {short(float(risk.mean()))}, all {short(float(risk[-1]))}", loc="left")
    reach = np.maximum([table["coverage"] - table["low"], table["high"] - table["coverage"]], 0)
    right.errorbar(
        table["size"], table["coverage"], yerr=reach, fmt="none", ecolor=GREY, elinewidth=0.7, alpha=0.5, zorder=1
    )
    right.scatter(table["size"], table["coverage"], s=14, color=GREY, zorder=2, label="with modalities taken away")
    right.scatter(table["size"][:1], table["coverage"][:1], s=28, color=BLUE, zorder=3, label="all modalities")
    right.axhline(0.9, color=ORANGE, ls="--", lw=1.2)
    right.set_xlabel("classes in a set, mean")
    right.set_ylabel("sets that hold the truth")
    right.set_ylim(min(0.7, float(table["low"].min())), 1.0)
    right.legend(loc="lower right", fontsize=7)
    for axes in (left, right):
        axes.grid(axis="y")
        axes.spines["left"].set_color(INK)
    save(figure, path)
