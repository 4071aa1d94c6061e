"""What several sensor nodes measured in one window: on a common grid of time, and in statistics over the nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crossfade.data.align import Stream, axis, window

BACK = (2, 4, 6, 10)  # minutes
CHANGES = ("start", *(f"back_{minutes}" for minutes in BACK))
STATISTICS = (
    *("mean", "low", "high", "sd", "sd_max", "slope", "slope_max", "slope_min"),
    *(f"{change}{end}" for change in CHANGES for end in ("", "_max", "_min")),
)


def streams(session: pd.DataFrame, quantities: Sequence[str], nodes: Sequence[int]) -> list[Stream]:
    """One stream per node with these quantities; of what a node reported twice in a second, the mean."""
    node, time = session["NID"].to_numpy(int), session["RelT"].to_numpy(float)
    value = session[list(quantities)].to_numpy(float)
    found = [Stream(f"node {k}", time[node == k], value[node == k]) for k in nodes]
    return [stream.ordered(duplicates="mean") if len(stream.time) else stream for stream in found]


def on_grid(of_nodes: Sequence[Stream], begin: float, end: float, rate: float) -> np.ndarray:
    """Streams of N nodes → float32 (T, quantities · N), quantity by quantity, T = (end − begin) · rate.

    Step t holds the mean of what a node reported in [begin + t/rate, begin + (t + 1)/rate), NaN where nothing.
    """
    # stamps are whole seconds, and a window holds what lies in (t − width, t]
    at = axis(begin, end, rate) + 1 / rate - 0.5
    grid = np.stack([window(stream, at, 1 / rate) for stream in of_nodes], axis=-1)  # (T, quantities, nodes)
    return grid.reshape(len(at), -1).astype(np.float32)


def statistics(session: pd.DataFrame, starts: np.ndarray, stops: np.ndarray, quantity: str) -> dict[str, np.ndarray]:
    """Statistics (W,) of one quantity over the nodes k, for the windows that are rows start … stop; in its unit.

    mean, low, high: mean, smallest and largest of the nodes' means v̄_k in the window. sd, sd_max: mean and largest of
    their standard deviations. slope, slope_max, slope_min: mean, largest and smallest slope of the nodes' least-squares
    lines, per minute. start, start_max, start_min: mean, largest and smallest of v̄_k − (the node's mean in the first
    minute of the session). back_n, …: the same against the node's mean n minutes before, over as long a window; where
    the session is younger, against its first minute. NaN where no node reported then. Nothing looks ahead.
    """
    time, node = session["RelT"].to_numpy(float), session["NID"].to_numpy(int)
    begin, end = time[starts], time[stops - 1]
    early = time[0] + 60
    of_node: dict[str, list[np.ndarray]] = {name: [] for name in ("mean", "sd", "slope", *CHANGES)}
    for k in np.unique(node):
        mine = np.flatnonzero(node == k)
        sums = _Sums(time[mine] / 60, session[quantity].to_numpy(float)[mine])
        mean, sd, slope = sums.line(np.searchsorted(mine, starts), np.searchsorted(mine, stops))
        first = sums.line(np.array([0]), np.searchsorted(time[mine], [early]))[0]
        for change in CHANGES:
            then: np.ndarray = np.broadcast_to(first, mean.shape)
            if change != "start":
                shift = 60 * int(change.removeprefix("back_"))
                low = np.searchsorted(time[mine], begin - shift)
                high = np.searchsorted(time[mine], end - shift, side="right")
                then = np.where(end - shift >= early, sums.line(low, high)[0], first)
            of_node[change].append(mean - then)
        for name, values in (("mean", mean), ("sd", sd), ("slope", slope)):
            of_node[name].append(values)
    stacked = {name: np.ma.masked_invalid(np.stack(values)) for name, values in of_node.items()}
    out = {name: values.mean(0) for name, values in stacked.items()}
    out |= {"low": stacked["mean"].min(0), "high": stacked["mean"].max(0), "sd_max": stacked["sd"].max(0)}
    for name in ("slope", *CHANGES):
        out |= {f"{name}_max": stacked[name].max(0), f"{name}_min": stacked[name].min(0)}
    return {name: np.ma.filled(out[name].astype(float), np.nan) for name in STATISTICS}


class _Sums:
    """Running sums of a series: mean, sd and slope of any stretch of it at once, NaN where it is empty."""

    def __init__(self, t: np.ndarray, v: np.ndarray) -> None:
        self.level = v[0]
        v = v - self.level  # small numbers lose no digits in the squares
        self.sums = np.concatenate([np.zeros((5, 1)), np.cumsum([t, v, t * t, t * v, v * v], 1)], 1)

    def line(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with np.errstate(invalid="ignore", divide="ignore"):
            t, v, tt, tv, vv = (self.sums[:, high] - self.sums[:, low]) / (high - low)
            spread = tt - t * t
            slope = np.where(spread > 1e-9, (tv - t * v) / spread, np.where(high > low, 0.0, np.nan))
            return v + self.level, np.sqrt(np.maximum(vv - v * v, 0.0)), slope
