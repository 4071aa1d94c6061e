"""The figures of robustness: the main metric over the severity of each corruption, and over the radius of attacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from crossfade.analysis.levels import ABSENT, CHANCE, CLEAN
from crossfade.analysis.metric_names import printed_metric
from crossfade.analysis.robustness_table import main_rows, modalities_of, reference
from crossfade.drawing import BLUE, GREY, INK, ORANGE, PALE, STYLE, save

ABREAST = 3  # panels
COLOURS = (BLUE, ORANGE, "#2f855a", "#805ad5", "#b83280", "#b7791f", INK)
MARKS = "osD^vPX"
CLEAN_LEVEL, CHANCE_LEVEL, ABSENT_LEVEL = (("clean, 95 %", INK, "-"), ("chance", GREY, ":"), ("absent", GREY, "--"))


@rc_context(STYLE)
def draw_robustness(table: pd.DataFrame, metric: str, path: Path) -> None:
    """A panel per modality, a line per corruption over its severity, from the clean value at 0 on.

    Level lines: clean, with its 95 % interval as a band; the modality absent; chance, where anything comes near it.
    """
    rows = main_rows(table, metric)
    found = modalities_of(rows, "corruption")
    figure, panels = _panels(len(found))
    for axes, (modality, own) in zip(panels, found.items(), strict=False):
        lines = {str(name).replace("_", " "): each for name, each in own.iterrows()}
        _draw(axes, rows, "corruption", lines, modality)
        axes.set_title(modality, loc="left")
        axes.set_xlabel("severity")
    _finish(figure, panels, metric, reference(rows, "corruption", CHANCE), [CLEAN_LEVEL, ABSENT_LEVEL], path)


@rc_context(STYLE)
def draw_adversarial(table: pd.DataFrame, metric: str, path: Path) -> None:
    """A panel per attack, a line per modality and one for all of them over the radius ε, from 0 on."""
    rows = main_rows(table, metric)
    found = modalities_of(rows, "attack")
    attacks = sorted({name for own in found.values() for name in own.index})
    figure, panels = _panels(len(attacks))
    for axes, attack in zip(panels, attacks, strict=False):
        _draw(axes, rows, "attack", {modality: own.loc[attack] for modality, own in found.items()})
        axes.set_title(str(attack).upper(), loc="left")
        axes.set_xlabel("ε, in sd of the training split")
    _finish(figure, panels, metric, reference(rows, "attack", CHANCE), [CLEAN_LEVEL], path)


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(count, ABREAST)
    lines = -(-count // columns)
    figure = Figure(figsize=(0.8 + 3.0 * columns, 0.4 + 3.0 * lines))
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for axes in grid.flat[count:]:
        axes.remove()
    return figure, list(grid.flat[:count])


def _draw(axes: Axes, rows: pd.DataFrame, by: str, lines: Mapping[str, pd.Series], absent: str = "") -> None:
    """Each line's values by amount, at even distances behind the clean value."""
    clean = rows[rows[by] == CLEAN].iloc[0]
    if not np.isnan(clean["low"]):
        axes.axhspan(clean["low"], clean["high"], color=PALE, alpha=0.6, lw=0, zorder=0)
    axes.axhline(clean["value"], color=INK, lw=1, zorder=1)
    if absent:
        axes.axhline(reference(rows, by, ABSENT, absent), color=GREY, ls="--", lw=1.2, zorder=1)
    for i, (label, each) in enumerate(lines.items()):
        values = each.sort_index()
        y = [clean["value"], *values]
        axes.plot(range(len(y)), y, color=COLOURS[i % len(COLOURS)], marker=MARKS[i % len(MARKS)], ms=3.5, label=label)
        axes.set_xticks(range(len(y)), ["0", *(f"{amount:g}" for amount in values.index)])
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, fontsize=7, handlelength=1.6)
    axes.grid(axis="y")


def _finish(
    figure: Figure, panels: Sequence[Axes], metric: str, chance: float, levels: list[tuple[str, str, str]], path: Path
) -> None:
    low, high = panels[0].get_ylim()
    if low <= chance <= high:
        levels = [*levels, CHANCE_LEVEL]
        for axes in panels:
            axes.axhline(chance, color=GREY, ls=":", lw=1, zorder=1)
    for axes in panels[::ABREAST]:
        axes.set_ylabel(printed_metric(metric))
    handles = [Line2D([], [], color=colour, ls=style, lw=1.2, label=label) for label, colour, style in levels]
    figure.legend(handles=handles, loc="outside upper right", ncols=3, fontsize=7)
    save(figure, path)
