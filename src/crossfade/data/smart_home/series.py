"""The series of a moment, brought onto common axes that end with it (`align`).

Motion and power have two zooms side by side, 48 rows each: the last 48 minutes and the last 48 hours. The last row is
the latest. Everything but the weather's forecast looks back only.

    motion   (48, 10)  events of five sensors per minute, then per hour
    climate  (48, 4)   °C, %RH, lux, ppm every 5 min, the last four hours; NaN where a node is silent
    power    (48, 2)   kW: means of a minute, then of an hour
    weather  (72, 5)   hourly, 48 h back and 24 h ahead: °C and W/m² (ahead: as forecast), sine and cosine of the local
                       hour, weekend
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from crossfade.data.align import Rule, align
from crossfade.data.synthetic.draws import normals

from . import sensors
from .moments import PERIOD, Moments
from .names import AHEAD_H, HISTORY_H, HOUR, PER_HOUR, ROOMS
from .rhythm import weekend
from .weather import forecast
from .world import World

ROWS = 48
AGO = np.arange(ROWS - 1, -1, -1)  # of the rows, in the zoom's unit
MINUTE, HOUR_S, FIVE = 60.0, 3600.0, 300.0  # s
MOTION, CLIMATE, POWER, WEATHER = 2 * len(ROOMS), 4, 2, 5  # columns
FORECAST_ROWS = HISTORY_H + AHEAD_H

Rngs = list[np.random.Generator]


def motion(rates: np.ndarray, moments: Moments, rows: np.ndarray, house: np.random.Generator, rngs: Rngs) -> np.ndarray:
    """Events (B, 48, 10) at the samples `rows` of one household.

    `rates` (rooms, T) of its sensors, `house` its random numbers, `rngs` those of the samples. What an intruder sets
    off is put on top, room by room as they go.
    """
    streams = {s.name: s for s in sensors.infrared(rates, house)}
    out = np.empty((len(rows), ROWS, MOTION), np.float32)
    for first, unit in ((0, MINUTE), (len(ROOMS), HOUR_S)):
        at = (moments.end[rows, None] - unit * AGO).ravel()
        counted = align(streams, at, dict.fromkeys(streams, Rule("count", unit)))
        for r, values in enumerate(counted.values()):
            out[:, :, first + r] = values.reshape(len(rows), ROWS)
    _intruders(out, moments, rows, rngs)
    return out


def _intruders(out: np.ndarray, moments: Moments, rows: np.ndarray, rngs: Rngs) -> None:
    """Add the intruders' events, which all later windows of the stretch have in their history, too."""
    for i, rng in zip(rows, rngs, strict=True):
        if moments.inside[i] < 0:
            continue
        seconds = min(moments.end[i] - moments.onset[i], PERIOD)
        events = rng.poisson(sensors.STRANGER * seconds / 60)
        later = (moments.stretch[rows] == moments.stretch[i]) & (moments.window[rows] >= moments.window[i])
        for j in np.flatnonzero(later):
            back = round((moments.end[rows[j]] - moments.end[i]) / MINUTE)
            out[j, ROWS - 1 - back, moments.inside[i]] += events
            out[j, ROWS - 1, len(ROOMS) + moments.inside[i]] += events


def climate(world: World, one: int, moments: Moments, rows: np.ndarray, noise: float, rng: np.random.Generator):
    """Readings (B, 48, 4) of household `one` at its samples `rows`; values are held 15 minutes, light and CO₂ five."""
    truth = {"temperature": world.indoor, "humidity": world.humidity, "light": world.lux, "co2": world.co2}
    streams = {name: sensors.readings(name, values[one], noise, rng) for name, values in truth.items()}
    at = (moments.end[rows, None] - FIVE * AGO).ravel()
    rules = {"temperature": Rule("hold", 900), "humidity": Rule("hold", 900), "light": Rule("hold", 300),
             "co2": Rule("mean", 300)}  # fmt: skip
    columns = [values.reshape(len(rows), ROWS) for values in align(streams, at, rules).values()]
    return np.stack(columns, axis=-1).astype(np.float32)


def power(world: World, one: int, moments: Moments, rows: np.ndarray, noise: float, rng: np.random.Generator):
    """The meter's means (B, 48, 2) in kW of household `one` at its samples `rows`."""
    meter = sensors.meter(world.electric[one], noise, rng)
    zooms = [
        align({"kw": meter}, (moments.end[rows, None] - unit * AGO).ravel(), {"kw": Rule("mean", unit)})["kw"]
        for unit in (MINUTE, HOUR_S)
    ]
    return np.stack([zoom.reshape(len(rows), ROWS) for zoom in zooms], axis=-1).astype(np.float32)


def weather(world: World, moments: Moments, rows: np.ndarray, noise: float, rngs: Rngs) -> np.ndarray:
    """Observed and forecast weather (B, 72, 5); `noise` multiplies the forecast's error."""
    house, step = moments.household[rows], moments.step[rows]
    back = hourly(lambda index: world.outdoor[house[:, None], index], step, -HISTORY_H, 0)
    sun = hourly(lambda index: world.irradiance[house[:, None], index], step, -HISTORY_H, 0)
    ahead = hourly(lambda index: world.outdoor[house[:, None], index], step + 1, 0, AHEAD_H)
    bright = hourly(lambda index: world.irradiance[house[:, None], index], step + 1, 0, AHEAD_H)
    error = normals(rngs, (2, AHEAD_H))
    ahead = forecast(ahead, error[:, 0], noise)
    bright = np.maximum(bright * (1 + 0.25 * noise * error[:, 1]), 0)
    middle = step[:, None] + PER_HOUR * np.arange(-HISTORY_H, AHEAD_H) + PER_HOUR // 2
    clock = 2 * np.pi * HOUR[middle] / 24
    free = weekend(world.homes)[house[:, None], middle]
    columns = [np.concatenate([back, ahead], 1), np.concatenate([sun, bright], 1), np.sin(clock), np.cos(clock), free]
    return np.stack(columns, axis=-1).astype(np.float32)


def hourly(at: Callable[[np.ndarray], np.ndarray], step: np.ndarray, first: int, last: int) -> np.ndarray:
    """Means of the hours `first` … `last` − 1 from the beginning of `step` on, (B, hours); `at`: index → values."""
    index = step[:, None] + np.arange(first * PER_HOUR, last * PER_HOUR)
    return at(index).reshape(len(step), last - first, PER_HOUR).mean(axis=-1)
