"""The figures of robustness: the main metric over the severity of each corruption, and over the radius of attacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossfade.analysis.levels import ABSENT, CHANCE, CLEAN
from crossfade.analysis.robustness_table import main_rows, modalities_of, reference
from crossfade.drawing import BLUE, GREY, INK, ORANGE, STYLE, save

ABREAST = 3  # panels
COLOURS = (BLUE, ORANGE, "#2f855a", "#805ad5", "#b83280", "#b7791f", INK)
MARKS = "osD^vPX"


@rc_context(STYLE)
def draw_robustness(table: pd.DataFrame, metric: str, path: Path) -> None:
    """A panel per modality, a line per corruption over its severity; clean, absent and chance as level lines.

    Bands are 95 % intervals over groups, where the table has them.
    """
    rows = main_rows(table, metric)
    found = modalities_of(rows, "corruption")
    figure, panels = _panels(len(found))
    for axes, (modality, own) in zip(panels, found.items(), strict=False):
        for i, name in enumerate(own.index):
            line = rows[(rows["modality"] == modality) & (rows["corruption"] == name)].sort_values("severity")
            _line(axes, line["severity"], line, str(name).replace("_", " "), i)
        for name, style, of in ((CLEAN, "-", ""), (ABSENT, "--", modality), (CHANCE, ":", "")):
            value = reference(rows, "corruption", name, of)
            axes.axhline(value, color=INK if name == CLEAN else GREY, ls=style, lw=1, label=name, zorder=1)
        axes.set_xticks(own.columns, [f"{severity:g}" for severity in own.columns])
        axes.set_title(modality, loc="left")
    _labels(panels, len(found), "severity", metric)
    save(figure, path)


@rc_context(STYLE)
def draw_adversarial(table: pd.DataFrame, metric: str, path: Path) -> None:
    """A panel per attack, a line per modality and one for all of them over the radius ε."""
    rows = main_rows(table, metric)
    attacks = [name for name in rows["attack"].unique() if name not in (CLEAN, CHANCE)]
    figure, panels = _panels(len(attacks))
    for axes, attack in zip(panels, attacks, strict=False):
        own = rows[rows["attack"] == attack]
        for i, modality in enumerate(own["modality"].unique()):
            line = own[own["modality"] == modality].sort_values("epsilon")
            _line(axes, np.arange(len(line)), line, str(modality), i)
        for name, style in ((CLEAN, "-"), (CHANCE, ":")):
            value = reference(rows, "attack", name)
            axes.axhline(value, color=INK if name == CLEAN else GREY, ls=style, lw=1, label=name, zorder=1)
        epsilons = sorted(own["epsilon"].unique())
        axes.set_xticks(range(len(epsilons)), [f"{epsilon:g}" for epsilon in epsilons])
        axes.set_title(attack.upper(), loc="left")
    _labels(panels, len(attacks), "radius ε, in sd of the training split", metric)
    save(figure, path)


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(count, ABREAST)
    lines = -(-count // columns)
    figure = Figure(figsize=(1.0 + 3.1 * columns, 2.7 * lines))
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    return figure, list(grid.flat)


def _line(axes: Axes, x: Sequence[float] | pd.Series | np.ndarray, line: pd.DataFrame, label: str, i: int) -> None:
    colour = COLOURS[i % len(COLOURS)]
    low, high = line["low"].to_numpy(float), line["high"].to_numpy(float)
    if not np.isnan(low).any():
        axes.fill_between(x, low, high, color=colour, alpha=0.10, lw=0)
    axes.plot(x, line["value"], color=colour, marker=MARKS[i % len(MARKS)], ms=3.5, lw=1.4, label=label)


def _labels(panels: Sequence[Axes], count: int, x: str, metric: str) -> None:
    for i, axes in enumerate(panels[:count]):
        axes.set_xlabel(x)
        axes.grid(axis="y")
        axes.legend(fontsize=7, loc="best")
        if i % ABREAST == 0:
            axes.set_ylabel(metric.replace("_", " "))
