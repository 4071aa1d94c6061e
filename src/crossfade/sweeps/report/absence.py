"""What each strategy is worth when modalities are missing: the curves of the runs, over their repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from crossfade.analysis.results_table import short
from crossfade.drawing import STYLE, save
from crossfade.runs import RunFolder
from crossfade.sweeps.report.landscape_figure import Label, beside
from crossfade.sweeps.report.settings import Estimate, Setting, estimate

MOST = 8  # curves


@dataclass(frozen=True)
class Missing:
    """One setting: the metric at each rate of absence, over its repeats, and the mean over the rates."""

    setting: Setting
    rate: np.ndarray
    values: list[Estimate]

    @property
    def area(self) -> float:
        """The mean over the rates, as the area under the curve over the range of rates."""
        means = [v.mean for v in self.values]
        return float(np.trapezoid(means, self.rate) / (self.rate[-1] - self.rate[0]))


def missing_of(path: Path, settings: Sequence[Setting], target: str) -> list[Missing]:
    """The curves of the settings whose repeats have all written one on the same rates (absence_rate_<target>.csv)."""
    found = []
    for setting in settings[:MOST]:
        tables = [RunFolder(path / str(row["folder"])).table(f"absence_rate_{target}") for row in setting.rows.values()]
        known = [table for table in tables if table is not None]
        if len(known) < len(tables) or any(list(t["rate"]) != list(known[0]["rate"]) for t in known):
            continue
        columns = np.array([table["value"].to_numpy(float) for table in known])
        values = [estimate(list(column), setting.test_share) for column in columns.T]
        found.append(Missing(setting, known[0]["rate"].to_numpy(float), values))
    return found


@rc_context(STYLE)
def draw_missing(curves: Sequence[Missing], colours: Mapping[str, str], metric: str, path: Path) -> None:
    """A curve per setting with its band over the repeats, named at its end with its mean over the rates."""
    figure = Figure(figsize=(6.4, 3.4))
    axes = figure.add_subplot()
    ordered = sorted(curves, key=lambda c: c.values[-1].mean)
    for curve in ordered:
        colour = colours[curve.setting.label]
        mean, low, high = (np.array([getattr(v, name) for v in curve.values]) for name in ("mean", "low", "high"))
        axes.fill_between(curve.rate, low, high, color=colour, alpha=0.08, lw=0)
        axes.plot(curve.rate, mean, color=colour, marker="o", ms=3)
    means = np.array([[v.mean for v in curve.values] for curve in curves])
    room = max(float(np.ptp(means)), 1e-3)
    limits = (float(means.min()) - 0.12 * room, float(means.max()) + 0.12 * room)
    axes.set_ylim(*limits)
    axes.set_xlim(-0.02, float(ordered[0].rate[-1]) + 0.01)
    several = len({c.setting.strategy for c in curves}) == len(curves)
    names = [c.setting.strategy if several else c.setting.label for c in ordered]
    named = [
        (c.values[-1].mean, f"{name}  {short(c.area)}", colours[c.setting.label])
        for c, name in zip(ordered, names, strict=True)
    ]
    beside(axes, [Label(*one) for one in named], height=2.8)
    axes.set_xlabel("rate at which a modality is absent")
    axes.set_ylabel(metric)
    axes.grid(axis="y")
    save(figure, path)
