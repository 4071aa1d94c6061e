"""Figures of a search's trials: their history, a slice per key of the space, costs against the metric, importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from crossfade.drawing import BLUE, GREY, INK, ORANGE, STYLE, save
from crossfade.search.page.found import Found
from crossfade.search.space import Dimension
from crossfade.search.trials import Trial

COLUMNS = 4
WIDE = 20.0  # highest : lowest from which a cost's axis is logarithmic
NAMED = 12  # of the front
UNITS = {"latency": "latency, ms", "parameters": "parameters", "flops": "FLOPs of one sample"}


@rc_context(STYLE)
def draw_history(found: Found, metric: str, path: Path) -> None:
    """Every trial's validation value in its turn, the best so far as a stair; pruned and failed ones marked."""
    figure = Figure(figsize=(7.4, 3.2))
    axes = figure.add_subplot()
    numbers = np.array([trial.number for trial in found.done])
    values = np.array([trial.values["metric"] for trial in found.done])
    best = (np.maximum if found.judge.direction == "max" else np.minimum).accumulate(values)
    _values(axes, numbers, values, found, BLUE)
    axes.step(numbers, np.clip(best, *found.fences), where="post", color=INK, lw=1.4)
    first = found.ranked[0]
    axes.plot(first.number, first.values["metric"], "o", ms=9, mfc="none", mec=INK, mew=1.4)
    _pruned(axes, found, lambda trial: trial.number)
    for trial in found.trials:
        if trial.state in ("failed", "interrupted", "running"):
            axes.plot(trial.number, 0.015, "|", ms=9, mew=1.4, color=ORANGE, transform=axes.get_xaxis_transform())
    axes.set_xlim(-0.8, max(trial.number for trial in found.trials) + 0.8)
    axes.set_ylim(*_room(found))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial")
    axes.set_ylabel(f"validation {metric}")
    axes.grid(axis="y")
    figure.legend(handles=_legend(found), loc="outside upper left", ncols=5, fontsize=7.5, handlelength=1.4)
    save(figure, path)


def _legend(found: Found) -> list[Line2D]:
    handles = [
        Line2D([], [], color=BLUE, ls="", marker="o", ms=4, label="finished trial"),
        Line2D([], [], color=INK, lw=1.4, label="best so far"),
        Line2D([], [], color=INK, ls="", marker="o", ms=8, mfc="none", mew=1.3, label="the best"),
    ]
    if found.last:
        handles.append(Line2D([], [], color=GREY, ls="", marker="x", ms=5, label="pruned, its best epoch"))
    if any(trial.state in ("failed", "interrupted", "running") for trial in found.trials):
        handles.append(Line2D([], [], color=ORANGE, ls="", marker="|", ms=9, mew=1.4, label="failed or interrupted"))
    return handles


@rc_context(STYLE)
def draw_slices(found: Found, metric: str, path: Path) -> None:
    """A panel per key of the space: the validation value against it; later trials are darker, the best is ringed."""
    dimensions = found.space.dimensions
    rows = -(-len(dimensions) // COLUMNS)
    columns = -(-len(dimensions) // rows)
    figure = Figure(figsize=(1.3 + 2.25 * columns, 0.4 + 2.2 * rows))
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    newest = max(trial.number for trial in found.trials)
    norm, colours = Normalize(-0.3 * max(newest, 1), max(newest, 1)), colormaps["Blues"]
    for place in range(rows * columns):
        panel = axes[place // columns, place % columns]
        if place >= len(dimensions):
            panel.set_axis_off()
            continue
        dimension = dimensions[place]
        at = _places(dimension)
        shown = [trial for trial in found.done if dimension.key in trial.params]
        where = np.array([at(trial) for trial in shown])
        values = np.array([trial.values["metric"] for trial in shown])
        _values(panel, where, values, found, colours(norm([trial.number for trial in shown])))
        first = found.ranked[0]
        if dimension.key in first.params:
            panel.plot(at(first), first.values["metric"], "o", ms=9, mfc="none", mec=INK, mew=1.4)
        _pruned(panel, found, lambda trial, at=at, key=dimension.key: at(trial) if key in trial.params else np.nan)
        _scale(panel, dimension)
        panel.set_xlabel(dimension.key)
        panel.grid(axis="y")
    axes[0, 0].set_ylim(*_room(found))
    figure.supylabel(f"validation {metric}", size=9)
    if newest > 1:
        bar = figure.colorbar(ScalarMappable(Normalize(0, newest), colours), ax=axes, pad=0.01, aspect=30)
        bar.outline.set_visible(False)
        bar.set_label("trial")
        bar.ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    save(figure, path)


def _places(dimension: Dimension) -> Any:
    """Where a trial stands on the axis; trials of one choice beside each other, by their number."""
    if not dimension.choices:
        return lambda trial: float(trial.params[dimension.key])
    places = {choice: i for i, choice in enumerate(dimension.choices)}
    return lambda trial: places[str(trial.params[dimension.key])] + 0.5 * ((trial.number * 0.618) % 1 - 0.5)


def _scale(axes: Axes, dimension: Dimension) -> None:
    if dimension.choices:
        turned = sum(map(len, dimension.choices)) > 24
        axes.set_xticks(range(len(dimension.choices)), dimension.choices, rotation=30 if turned else 0)
        if turned:
            for label in axes.get_xticklabels():
                label.set_horizontalalignment("right")
        axes.set_xlim(-0.5, len(dimension.choices) - 0.5)
        return
    if dimension.log:
        axes.set_xscale("log")
        room = (dimension.high / dimension.low) ** 0.04
        axes.set_xlim(dimension.low / room, dimension.high * room)
        return
    room = 0.04 * (dimension.high - dimension.low)
    axes.set_xlim(dimension.low - room, dimension.high + room)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=dimension.whole))


def _values(axes: Axes, where: np.ndarray, values: np.ndarray, found: Found, colour: Any) -> None:
    """Dots; what lies beyond the fences as triangles at the edge."""
    low, high = found.fences
    colours = np.array([colour] * len(values)) if isinstance(colour, str) else colour
    for marker, chosen in (("o", (values >= low) & (values <= high)), ("v", values < low), ("^", values > high)):
        if chosen.any():
            at = np.clip(values[chosen], low, high)
            axes.scatter(where[chosen], at, s=17, c=colours[chosen], marker=marker, lw=0.4, ec="white", zorder=3)


def _pruned(axes: Axes, found: Found, at: Any) -> None:
    shown = [(at(trial), found.last[trial.number]) for trial in found.trials if trial.number in found.last]
    if shown:
        where, values = np.array(shown, dtype=float).T
        axes.scatter(where, np.clip(values, *found.fences), s=16, c=GREY, marker="x", lw=1.0, zorder=2)


def _room(found: Found) -> tuple[float, float]:
    low, high = found.fences
    room = 0.07 * max(high - low, 1e-3)
    return low - room, high + room


@rc_context(STYLE)
def draw_front(found: Found, metric: str, path: Path) -> None:
    """A panel per cost: the validation value against it. The Pareto front is drawn as the stair of what can be had."""
    costs = [name for name in found.objectives if name != "metric"]
    figure = Figure(figsize=(1.0 + 3.7 * len(costs), 3.2))
    axes = figure.subplots(1, len(costs), squeeze=False, sharey=True)[0]
    front = {trial.number for trial in found.front}
    known = [trial for trial in found.done if set(found.objectives) <= set(trial.values)]
    for panel, cost in zip(axes, costs, strict=True):
        others = [trial for trial in known if trial.number not in front]
        where = np.array([trial.values[cost] for trial in others])
        _values(panel, where, np.array([trial.values["metric"] for trial in others]), found, GREY)
        own = sorted(found.front, key=lambda trial: (trial.values[cost], trial.values["metric"]))
        _front(panel, own, cost, found, stair=len(costs) == 1)
        everything = [trial.values[cost] for trial in known]
        if min(everything) > 0 and max(everything) / min(everything) > WIDE:
            panel.set_xscale("log")
        panel.set_xlabel(UNITS[cost])
        panel.grid()
    axes[0].set_ylim(*_room(found))
    axes[0].set_ylabel(f"validation {metric}")
    save(figure, path)


def _front(axes: Axes, own: Sequence[Trial], cost: str, found: Found, stair: bool) -> None:
    """With two costs the front is a surface, and a stair in one of them would be none."""
    where = [trial.values[cost] for trial in own]
    values = [trial.values["metric"] for trial in own]
    if stair:
        axes.step(where, values, where="post", color=BLUE, lw=1.4)
    axes.plot(where, values, "o", ms=5.5, color=BLUE, zorder=4)
    named: dict[tuple[float, float], list[str]] = {}
    for trial in own:
        named.setdefault((trial.values[cost], trial.values["metric"]), []).append(str(trial.number))
    for at, numbers in list(named.items())[:NAMED]:
        axes.annotate(", ".join(numbers), at, xytext=(4, 4), textcoords="offset points", size=7.5, color=INK)


@rc_context(STYLE)
def draw_shares(shares: Mapping[str, float], path: Path) -> None:
    """A bar per key, the largest above."""
    figure = Figure(figsize=(4.6, 0.75 + 0.3 * len(shares)))
    axes = figure.add_subplot()
    axes.barh(range(len(shares)), [100 * share for share in shares.values()], color=BLUE, height=0.64)
    for row, share in enumerate(shares.values()):
        axes.text(1.02, row, f"{100 * share:.0f} %", transform=axes.get_yaxis_transform(), va="center")
    axes.set_yticks(range(len(shares)), list(shares))
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.grid(axis="x")
    axes.set_xlabel("share of the importance, %")
    save(figure, path)
