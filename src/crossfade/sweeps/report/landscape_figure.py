"""The figure of the α-landscape: curves with bands above, below them where each optimum lies and how flat it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from crossfade.analysis.results_table import short
from crossfade.drawing import GREY, INK, ORANGE, STYLE, save
from crossfade.sweeps.report.curves import Curve, Landscape, Panel

LINE = 0.155  # inches of a label
AWAY = 14  # points between axes and labels
_LINE: Any = {"arrowstyle": "-", "lw": 0.6, "shrinkA": 0, "shrinkB": 1, "relpos": (0, 0.5)}
BAR = 0.018  # of α, for the interval of a strategy without


class Label(NamedTuple):
    """Text at the right of the axes, beside what it names."""

    y: float
    text: str
    colour: str


@rc_context(STYLE)
def draw_landscape(
    landscape: Landscape,
    colours: Mapping[str, str],
    metric: str,
    modalities: Sequence[str],
    path: Path,
    learned: str = "learned α",
) -> None:
    """A column per panel: the curves, and a ruler of α with optimum, its interval, the flat range, the learned α.

    `learned` is what the legend calls the α that is no point of the grid.
    """
    panels = landscape.panels
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    ruler = 0.16 + 0.17 * max(len(panel.curves) for panel in panels)
    figure = Figure(figsize=(6.9 if columns == 1 else 9.6, rows * (3.0 + ruler + 0.55) + 0.3))
    axes = figure.subplots(2 * rows, columns, squeeze=False, sharex=True, height_ratios=[3.0, ruler] * rows)
    limits = _limits(panels)
    for place in range(rows * columns):
        upper, lower = axes[2 * (place // columns), place % columns], axes[2 * (place // columns) + 1, place % columns]
        if place >= len(panels):
            upper.set_axis_off()
            lower.set_axis_off()
            continue
        _curves(upper, panels[place], colours, limits, 3.0)
        _ruler(lower, panels[place], colours)
        upper.set_ylabel(metric if place % columns == 0 else "")
        rest = f"{modalities[1]} has 1 − α" if len(modalities) == 2 else "the others share the rest"
        lower.set_xlabel(f"α, the weight of {modalities[0]} ({rest})")
    handles = _legend(panels, learned)
    beside_each_other = 5 if columns > 1 or len(handles) < 5 else 3  # five are wider than one panel
    figure.legend(handles=handles, loc="outside upper left", ncols=beside_each_other, fontsize=7.5, handlelength=1.6)
    save(figure, path)


def _limits(panels: Sequence[Panel]) -> tuple[float, float]:
    """All means and lines, and of the bands as much as leaves the curves their shape."""
    means, ends = list[float](), list[float]()
    for panel in panels:
        found = [e for curve in panel.curves for e in curve.estimates] + [level.estimate for level in panel.levels]
        found += [c.learned.estimate for c in panel.curves if c.learned is not None]
        means += [e.mean for e in found] + [s.mean for s in [panel.single] if s is not None]
        means += [panel.bound] * (not math.isnan(panel.bound))
        ends += [x for e in found for x in (e.low, e.high) if not math.isnan(x)]
    low, high = min(means), max(means)
    room = max(high - low, 1e-3)
    lowest, highest = min([*ends, low]), max([*ends, high])
    return max(lowest, low - 0.35 * room) - 0.04 * room, min(highest, high + 0.35 * room) + 0.04 * room


def _curves(axes: Axes, panel: Panel, colours: Mapping[str, str], limits: tuple[float, float], height: float) -> None:
    labels = []
    for curve in panel.curves:
        colour = colours[curve.strategy]
        means, low, high = (np.array(x, dtype=float) for x in list(zip(*curve.estimates, strict=True))[:3])
        axes.fill_between(curve.alpha, low, high, color=colour, alpha=0.13, lw=0)
        axes.plot(curve.alpha, means, color=colour, marker="o", ms=3, lw=1.6)
        if curve.best is not None:
            axes.plot(curve.best.alpha, curve.best.value, "o", ms=8, mfc="none", mec=colour, mew=1.4)
        if curve.learned is not None:
            axes.plot(curve.learned.alpha, curve.learned.mean, "D", ms=5.5, mfc="white", mec=colour, mew=1.4, zorder=5)
        labels.append(Label(float(means[-1]), curve.strategy, colour))
    for place, level in enumerate(panel.levels):
        colour, e = colours[level.strategy], level.estimate
        axes.axhline(e.mean, color=colour, lw=1.2)
        at = 1.03 + BAR * place  # bands over the whole width would hide each other and the curves
        axes.plot([at, at], [e.low, e.high], color=colour, lw=3.5, alpha=0.35, solid_capstyle="butt")
        labels.append(Label(e.mean, f"{level.strategy} {short(e.mean)}", colour))
    if panel.single is not None:
        axes.axhline(panel.single.mean, color=GREY, ls=(0, (5, 2)), lw=1.3)
        labels.append(Label(panel.single.mean, f"{panel.single.label} {short(panel.single.mean)}", "#66727f"))
    if not math.isnan(panel.bound):
        axes.axhline(panel.bound, color=ORANGE, ls="--", lw=1.3)
        labels.append(Label(panel.bound, f"Bayes bound {short(panel.bound)}", ORANGE))
    if not math.isnan(panel.best_alpha):
        axes.axvline(panel.best_alpha, color=ORANGE, ls=":", lw=1.3, zorder=1)
    axes.set_ylim(*limits)
    axes.set_xlim(-0.02, 1.02 + BAR * len(panel.levels))
    axes.grid(axis="y")
    axes.set_title(panel.title, loc="left")
    beside(axes, labels, height)


def beside(axes: Axes, labels: Sequence[Label], height: float) -> None:
    """Labels at the right of axes `height` inches high, moved apart where they would lie on each other.

    Each has a line to what it names, at the right end of the axes.
    """
    low, high = axes.get_ylim()
    ordered = sorted(labels)
    places = spread([label.y for label in ordered], LINE / height * (high - low))
    figure = axes.figure
    away = ScaledTranslation(AWAY / 72, 0, figure.dpi_scale_trans)
    for label, y in zip(ordered, places, strict=True):
        axes.annotate(
            label.text,
            (1.0, label.y),
            xytext=(1.0, y),
            xycoords=axes.get_yaxis_transform(),
            textcoords=axes.get_yaxis_transform() + away,
            color=label.colour,
            va="center",
            size=8,
            arrowprops=dict(_LINE, color=label.colour),
        )


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """The places nearest to the wanted ones (rising) that are at least `gap` apart: least squares by pooling."""
    pools: list[list[float]] = []  # of neighbours that touch: sum of (wanted − offset), count
    for i, y in enumerate(wanted):
        pools.append([y - i * gap, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1] = [pools[-1][0] + total, pools[-1][1] + count]
    bases = [total / count for total, count in pools for _ in range(int(count))]
    return [base + i * gap for i, base in enumerate(bases)]


def _ruler(axes: Axes, panel: Panel, colours: Mapping[str, str]) -> None:
    for row, curve in enumerate(panel.curves):
        _marks(axes, row, curve, colours[curve.strategy])
    if not math.isnan(panel.best_alpha):
        axes.axvline(panel.best_alpha, color=ORANGE, ls=":", lw=1.3, zorder=1)
    axes.set_ylim(len(panel.curves) - 0.4, -0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def _marks(axes: Axes, row: int, curve: Curve, colour: str) -> None:
    if curve.flat is not None:
        axes.plot(curve.flat, [row, row], color=colour, lw=7, alpha=0.22, solid_capstyle="butt")
    if curve.best is not None:
        if not math.isnan(curve.best.low):
            axes.plot([curve.best.low, curve.best.high], [row, row], color=colour, lw=1.6)
        axes.plot(curve.best.alpha, row, "o", ms=6, mfc="white", mec=colour, mew=1.4)
    if (learned := curve.learned_alpha) is not None:
        if not math.isnan(learned.low):
            axes.plot(np.clip([learned.low, learned.high], 0, 1), [row + 0.22] * 2, color=colour, lw=1, ls=":")
        axes.plot(learned.mean, row + 0.22, "D", ms=4.5, mfc="white", mec=colour, mew=1.2)


def _legend(panels: Sequence[Panel], learned: str) -> list[Line2D | Patch]:
    curves = [curve for panel in panels for curve in panel.curves]
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=INK, marker="o", ms=3, lw=1.4, label="mean, 95 % band"),
        Line2D([], [], color=INK, marker="o", ms=7, mfc="white", lw=1.4, label="optimum, 95 % interval"),
    ]
    if any(curve.flat is not None for curve in curves):
        handles.append(Patch(color=INK, alpha=0.22, label="not distinguishable from it"))
    if any(curve.learned is not None for curve in curves):
        handles.append(Line2D([], [], color=INK, marker="D", ms=5, mfc="white", lw=1, ls=":", label=learned))
    for known in {short(panel.best_alpha) for panel in panels if not math.isnan(panel.best_alpha)}:
        handles.append(Line2D([], [], color=ORANGE, lw=1.3, ls=":", label=f"best α, closed form: {known}"))
    return handles
