"""The figures of a forecast: its bands, and the heating schedule that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from crossfade.drawing import BLUE, GREY, INK, ORANGE, PALE, STYLE, save
from crossfade.targets.heating import Plan, Rules
from crossfade.targets.thermal import STEPS

FORECASTS, SCHEDULES = 6, 3  # samples drawn


@rc_context(STYLE)
def draw_forecast(
    quantiles: np.ndarray, load: np.ndarray, levels: Sequence[float], ids: Sequence[str], path: Path
) -> None:
    """Bands, median and truth of some samples: quantiles (N, T, Q) and load (N, T) in kW."""
    rows_shown = _spread(len(load), FORECASTS)
    quantiles, load, ids = quantiles[rows_shown], load[rows_shown], [ids[i] for i in rows_shown]
    shown = len(rows_shown)
    columns = min(3, shown)
    rows = -(-shown // columns)
    hours = load.shape[1]
    figure = Figure(figsize=(2.9 * columns, 0.5 + 2.0 * rows))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    many, middle = len(levels), list(levels).index(0.5)
    for i, axes in enumerate(grid.flat):
        if i >= shown:
            axes.set_axis_off()
            continue
        for k in range(middle):
            low, high = quantiles[i, :, k], quantiles[i, :, many - 1 - k]
            label = f"{levels[many - 1 - k] - levels[k]:.0%} band"
            axes.fill_between(_stairs(hours), _twice(low), _twice(high), color=BLUE, alpha=0.2, lw=0, label=label)
        axes.stairs(quantiles[i, :, middle], np.arange(hours + 1), baseline=None, color=BLUE, lw=1.4, label="median")
        axes.stairs(load[i], np.arange(hours + 1), baseline=None, color=INK, lw=1.1, label="truth")
        axes.set_title(str(ids[i]), loc="left")
        axes.grid(axis="y")
    grid[0, 0].set_ylim(bottom=min(0, float(np.nanmin(load)), float(quantiles.min())))
    for axes in grid[-1]:
        axes.set_xlabel("hours ahead")
        axes.set_xticks(np.arange(0, hours + 1, 6))
    for axes in grid[:, 0]:
        axes.set_ylabel("load, kW")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
    save(figure, path)


@rc_context(STYLE)
def draw_schedule(made: Plan, occupied: np.ndarray, rules: Rules, ids: Sequence[str], path: Path) -> None:
    """Indoor temperature and heat of some schedules beside the thermostat; grey: somebody is at home."""
    picked = _spread(len(occupied), SCHEDULES)
    shown, hours = len(picked), occupied.shape[1]
    bounds = np.arange(hours * STEPS + 1) / STEPS
    figure = Figure(figsize=(2.9 * shown + 0.6, 4.2))
    grid = figure.subplots(2, shown, squeeze=False, sharex=True, sharey="row", height_ratios=[2, 1])
    for column, i in enumerate(picked):
        above, below = grid[:, column]
        for axes in (above, below):
            for hour in range(hours):
                axes.axvspan(hour, hour + 1, color=PALE, alpha=float(occupied[i, hour]), lw=0, zorder=0)
            axes.grid(axis="y", color="white")
        above.plot(bounds, made.thermostat.temperature[i], color=GREY, lw=1.2, label="thermostat")
        above.plot(bounds, made.floor[i], color=ORANGE, lw=1.0, ls="--", label="set-point of the schedule")
        above.plot(bounds, made.schedule.temperature[i], color=BLUE, lw=1.4, label="schedule")
        saved, usual = float(made.usual[i] - made.used[i]), float(made.usual[i])
        above.set_title(f"{ids[i]}: saves {saved:.1f} of {usual:.1f} kWh", loc="left")
        below.stairs(made.thermostat.heat[i], bounds, baseline=None, color=GREY, lw=1.2)
        below.stairs(made.schedule.heat[i], bounds, baseline=None, color=BLUE, lw=1.4)
        below.set_xlabel("hours ahead")
        below.set_xticks(np.arange(0, hours + 1, 6))
    grid[0, 0].set_ylabel("indoors, °C")
    grid[0, 0].set_ylim(rules.setback - 0.5, rules.setpoint + 0.7)
    grid[1, 0].set_ylabel("heat, kW")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
    save(figure, path)


def _spread(samples: int, most: int) -> list[int]:
    """Sample numbers from the first to the last: neighbours are often of one house."""
    return sorted({round(i) for i in np.linspace(0, samples - 1, min(samples, most))})


def _stairs(hours: int) -> np.ndarray:
    """0, 1, 1, 2, 2, …, T."""
    return np.repeat(np.arange(hours + 1), 2)[1:-1]


def _twice(values: np.ndarray) -> np.ndarray:
    return np.repeat(values, 2)
