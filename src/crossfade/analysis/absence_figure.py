"""The figure of absence: the main metric of every presence pattern, and over rates of absence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossfade.analysis.metric_names import printed_metric
from crossfade.analysis.results_table import short
from crossfade.drawing import BLUE, GREY, INK, ORANGE, PALE, STYLE, save

ROW = 0.17  # inches
SHOWN = 63  # patterns, those of six modalities


@rc_context({**STYLE, "figure.constrained_layout.wspace": 0.08})
def draw_absence(
    patterns: pd.DataFrame,
    curve: pd.DataFrame | None,
    metric: str,
    alone: Mapping[frozenset[str], float],
    better: str,
    path: Path,
) -> None:
    """Left: a dot per modality that is there, and the metric as a bar; right: the metric over the rate of absence.

    `patterns` has a column of 0 and 1 per modality before "samples"; `alone`: the metric of models trained on just
    those modalities, to hold against their pattern. Of more than `SHOWN` patterns it is all, each left out, each alone.
    """
    modalities = [str(name) for name in patterns.columns[: list(patterns.columns).index("samples")]]
    if len(patterns) > SHOWN:
        patterns = patterns[patterns[modalities].sum(axis=1).isin([1, len(modalities) - 1, len(modalities)])]
    there = patterns[modalities].sum(axis=1)
    order = np.lexsort((patterns[metric] * (-1 if better == "max" else 1), -there))
    shown = patterns.iloc[order].reset_index(drop=True)
    height = max(2.6, 0.8 + ROW * len(shown))
    figure = Figure(figsize=(3.2 + 0.28 * len(modalities) + (3.2 if curve is not None else 0), height))
    widths = [0.28 * len(modalities), 2.6, *([3.0] if curve is not None else [])]
    panels = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    _dots(panels[0], shown[modalities].to_numpy(bool), modalities)
    _bars(panels[1], shown, modalities, metric, alone)
    panels[1].sharey(panels[0])
    if curve is not None:
        _curve(panels[2], curve, metric)
    save(figure, path)


def _dots(axes: Axes, there: np.ndarray, modalities: list[str]) -> None:
    for values, colour in ((~there, PALE), (there, INK)):
        rows, columns = np.nonzero(values)
        axes.scatter(columns, rows, s=15, color=colour)
    axes.set_xticks(range(len(modalities)), modalities, rotation=90)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_xlim(-0.6, len(modalities) - 0.4)
    axes.set_ylim(len(there) - 0.4, -0.6)


def _bars(
    axes: Axes, shown: pd.DataFrame, modalities: list[str], metric: str, alone: Mapping[frozenset[str], float]
) -> None:
    values = shown[metric].to_numpy(float)
    axes.barh(range(len(shown)), np.nan_to_num(values), height=0.7, color=[BLUE, *[GREY] * (len(shown) - 1)])
    room = np.nanmax([*np.abs(values), *np.abs(list(alone.values()) or [0.0])])
    for row, value in enumerate(values):
        axes.text(1.02, row, short(value), transform=axes.get_yaxis_transform(), va="center", size=7)
    rows = [frozenset(np.array(modalities)[row].tolist()) for row in shown[modalities].to_numpy(bool)]
    marks = {names: row for row, names in enumerate(rows) if names in alone}
    if marks:
        at = [alone[names] for names in marks]
        axes.plot(at, list(marks.values()), "D", ms=4, mfc="white", mec=ORANGE, label="trained on it alone")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=7)
    axes.set_xlim(min(0.0, float(np.nanmin(values))), 1.0 if 0.5 < room <= 1 else 1.05 * room)
    axes.set_xlabel(printed_metric(metric))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def _curve(axes: Axes, curve: pd.DataFrame, metric: str) -> None:
    rate, value = curve["rate"].to_numpy(), curve["value"].to_numpy()
    axes.fill_between(rate, value - curve["sd"], value + curve["sd"], color=BLUE, alpha=0.15, lw=0)
    axes.plot(rate, value, color=BLUE, marker="o", ms=3)
    area = np.trapezoid(value, rate) / (rate[-1] - rate[0])
    axes.set_title(f"mean over these rates {short(area)}", loc="left")
    axes.set_xlabel("rate at which a modality is absent")
    axes.set_ylabel(printed_metric(metric))
    axes.grid(axis="y")
