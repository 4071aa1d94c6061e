"""The figure of the ranking: means with intervals, and a bar beside those that cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from crossfade.analysis.results_table import short
from crossfade.drawing import GREY, INK, ORANGE, STYLE, save
from crossfade.sweeps.report.ranking import Ranking
from crossfade.sweeps.report.settings import Setting


@rc_context(STYLE)
def draw_ranking(
    ranking: Ranking,
    single: Setting | None,
    bound: float,
    colours: Mapping[str, str],
    metric: str,
    path: Path,
) -> None:
    """A row per setting, the best above; the best single modality and the Bayes bound as lines; groups at the right."""
    estimates = [s.estimate for s in ranking.settings]
    figure = Figure(figsize=(7.2, 1.0 + 0.27 * len(estimates)))
    axes = figure.add_subplot()
    for row, (setting, e) in enumerate(zip(ranking.settings, estimates, strict=True)):
        colour = colours[setting.label]
        axes.plot([e.low, e.high], [row, row], color=colour, lw=1.8, alpha=0.55)
        axes.plot(list(setting.test.values()), [row] * len(setting.test), "|", color=colour, ms=7, mew=0.9, alpha=0.7)
        axes.plot(e.mean, row, "o", ms=5.5, color=colour)
        axes.text(1.02, row, short(e.mean), transform=axes.get_yaxis_transform(), va="center")
    if single is not None:
        axes.axvline(single.mean, color=GREY, ls=(0, (5, 2)), lw=1.3, label=f"{single.label} {short(single.mean)}")
    if not math.isnan(bound):
        axes.axvline(bound, color=ORANGE, ls="--", lw=1.3, label=f"Bayes bound {short(bound)}")
    inside = [e.mean for e in estimates] + ([] if single is None else [single.mean]) + [bound] * (not math.isnan(bound))
    _limits(axes, inside, [x for e in estimates for x in (e.low, e.high) if not math.isnan(x)])
    axes.set_yticks(range(len(estimates)), [s.label for s in ranking.settings])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(estimates) - 0.5, -0.5)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(metric)
    _groups(axes, ranking)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper left", ncols=2)
    save(figure, path)


def _limits(axes: Axes, inside: list[float], ends: list[float]) -> None:
    """All means and lines, and of the intervals as much as leaves the means apart."""
    low, high = min(inside), max(inside)
    room = max(high - low, 1e-3)
    axes.set_xlim(
        max(min([low, *ends]), low - 0.6 * room) - 0.05 * room, min(max([high, *ends]), high + 0.6 * room) + 0.05 * room
    )


def _groups(axes: Axes, ranking: Ranking) -> None:
    """One bar per letter that several settings share, from the first of them to the last, a dot at each."""
    letters = dict.fromkeys(letter for own in ranking.letters for letter in own)
    place = 0
    for letter in letters:
        rows = [row for row, own in enumerate(ranking.letters) if letter in own]
        if len(rows) < 2:
            continue
        x = 1.13 + 0.035 * place
        transform = axes.get_yaxis_transform()
        axes.plot([x, x], [rows[0], rows[-1]], color=INK, lw=1.4, transform=transform, clip_on=False)
        axes.plot([x] * len(rows), rows, "o", ms=3, color=INK, transform=transform, clip_on=False)
        place += 1
