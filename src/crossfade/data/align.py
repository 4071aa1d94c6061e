"""Streams of different rates and clocks on one time axis; all times in seconds.

    own clock → common time      t = (t_own − offset) / (1 + drift)                           `Clock`
    hold                         y(t) = the last x stamped ≤ t, at most `max_age` old         causal
    window                       y(t) = mean | sum | max | count of the x stamped in (t − width, t]   causal
    interpolate                  y(t) linear between the neighbours, at most `max_gap` apart  looks ahead

Where a stream says nothing of a moment the result is NaN (count and sum: 0): a gap stays a gap, it is never filled
from afar. What is wrong with a log is an error that names the stream, the row and the stamps, or is mended in the way
that the caller asked for (`Stream.ordered`); nothing is mended silently. Stamps count as equal within `TOLERANCE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from crossfade.errors import ReadError

TOLERANCE = 1e-6  # s: finer than any logger's clock, coarser than float64 at 10⁹ s (times since 1970)

Statistic = Literal["mean", "sum", "max", "count"]


@dataclass(frozen=True)
class Clock:
    """How a device's clock runs: t_own = t·(1 + drift) + offset; offset in s, drift in s per s (20e-6: 20 ppm)."""

    offset: float = 0.0
    drift: float = 0.0

    def common(self, own: np.ndarray) -> np.ndarray:
        """The device's stamps (n,) on the common time axis."""
        return (np.asarray(own, dtype=np.float64) - self.offset) / (1.0 + self.drift)

    def stamp(self, time: np.ndarray) -> np.ndarray:
        """What this clock shows at common times (n,): the inverse of `common`."""
        return np.asarray(time, dtype=np.float64) * (1.0 + self.drift) + self.offset

    @staticmethod
    def between(own: np.ndarray, common: np.ndarray) -> Clock:
        """Offset and drift, least squares, from n ≥ 2 moments that both clocks have stamped (n,), (n,).

        Raises ValueError for fewer than two distinct moments.
        """
        own, common = np.asarray(own, dtype=np.float64), np.asarray(common, dtype=np.float64)
        if own.shape != common.shape or own.ndim != 1 or len(np.unique(common)) < 2:
            raise ValueError("offset and drift need at least two moments, stamped by both clocks.")
        middle = common.mean()  # times since 1970 are large: fit about the middle
        slope, level = np.polyfit(common - middle, own, 1)
        return Clock(offset=float(level - slope * middle), drift=float(slope - 1.0))


@dataclass(frozen=True)
class Stream:
    """One log: `time` (n,) s, `value` (n, C), NaN = missing entry; `name` stands in messages.

    `modality` is what a ReadError says cannot be read (default: the name), so that `data.on_error` can leave it out.
    Raises ReadError for shapes that do not belong together and for stamps that are no number.
    """

    name: str
    time: np.ndarray
    value: np.ndarray
    modality: str = ""

    def __post_init__(self) -> None:
        time = np.asarray(self.time, dtype=np.float64)
        value = np.asarray(self.value)
        value = value[:, None] if value.ndim == 1 else value
        if value.dtype.kind != "f":
            value = value.astype(np.float64)
        object.__setattr__(self, "time", time)
        object.__setattr__(self, "value", value)
        if time.ndim != 1 or value.ndim != 2 or len(time) != len(value):
            raise self.fault(f"{time.shape} stamps do not belong to values of shape {value.shape}")
        if bad := np.flatnonzero(~np.isfinite(time)).tolist():
            raise self.fault(f"{len(bad)} stamps are no number, first in row {bad[0]}")

    def fault(self, words: str) -> ReadError:
        return ReadError(f"stream {self.name}: {words}.", self.modality or self.name)

    def on(self, clock: Clock) -> Stream:
        """The same log with its stamps moved from its own clock to the common time."""
        return replace(self, time=clock.common(self.time))

    def ordered(
        self,
        unordered: Literal["error", "sort"] = "error",
        duplicates: Literal["error", "first", "last", "mean"] = "error",
    ) -> Stream:
        """The log with strictly increasing stamps, which all functions below ask for.

        A stamp before its predecessor: ReadError, or all rows are sorted by time (rows with equal stamps keep their
        order). Equal stamps: ReadError, or the first, the last or the mean (of what is not NaN) of those rows stays.
        """
        time, value = self.time, self.value
        step = np.diff(time)
        if (back := np.flatnonzero(step < -TOLERANCE)).size:
            if unordered == "error":
                i = int(back[0])
                raise self.fault(
                    f"{len(back)} stamps lie before their predecessor, first row {i + 1} ({time[i + 1]:.6f} s after "
                    f'{time[i]:.6f} s). Sort the log, or read it with unordered="sort"'
                )
            order = np.argsort(time, kind="stable")
            time, value = time[order], value[order]
            step = np.diff(time)
        if (same := np.flatnonzero(step <= TOLERANCE)).size:
            if duplicates == "error":
                i = int(same[0])
                raise self.fault(
                    f"{len(same)} stamps stand twice, first {time[i]:.6f} s in rows {i} and {i + 1}. Say which row "
                    'counts: duplicates="first", "last" or "mean"'
                )
            time, value = _merge(time, value, duplicates)
        return replace(self, time=time, value=value)

    def check_rate(self, rate: float, tolerance: float = 0.05) -> None:
        """Raise ReadError unless the median interval is 1/`rate` s within this share (gaps do not move a median)."""
        if len(self.time) < 2:
            return
        found = 1.0 / max(float(np.median(np.diff(self.time))), TOLERANCE)
        if abs(found - rate) > tolerance * rate:
            raise self.fault(
                f"it runs at {found:.4g} Hz, not at the {rate:.4g} Hz that it should. Is its time in seconds? "
                "Correct the rate, or the stamps"
            )

    def gaps(self, longest: float) -> np.ndarray:
        """Where nothing was logged for more than `longest` s: (g, 2), the stamps before and after."""
        at = np.flatnonzero(np.diff(self.time) > longest + TOLERANCE)
        return np.stack([self.time[at], self.time[at + 1]], axis=1)


def _merge(time: np.ndarray, value: np.ndarray, which: str) -> tuple[np.ndarray, np.ndarray]:
    """One row per stamp: rows that follow within `TOLERANCE` of the first of their group belong to it."""
    new = np.ones(len(time), dtype=bool)
    first = time[0]
    for i in np.flatnonzero(np.diff(time) <= TOLERANCE) + 1:  # few; a chain of close stamps is cut at the tolerance
        if new[i - 1]:
            first = time[i - 1]
        new[i] = time[i] - first > TOLERANCE
    start = np.flatnonzero(new)
    if which == "first":
        return time[start], value[start]
    if which == "last":
        return time[start], value[np.append(start[1:], len(time)) - 1]
    seen = np.add.reduceat(~np.isnan(value), start, axis=0, dtype=np.int64)
    total = np.add.reduceat(np.nan_to_num(value), start, axis=0)
    return time[start], np.where(seen > 0, total / np.maximum(seen, 1), np.nan)


def axis(start: float, stop: float, rate: float) -> np.ndarray:
    """Common time axis (T,): start, start + 1/rate, … < stop, each from its number, so that rounding does not add up.

    Raises ValueError for a rate that is not positive or a stop before the start.
    """
    if not rate > 0 or not stop >= start:
        raise ValueError(f"no time axis from {start} to {stop} s at {rate} Hz.")
    return start + np.arange(int(np.ceil((stop - start) * rate - TOLERANCE * rate))) / rate


def hold(stream: Stream, at: np.ndarray, max_age: float = np.inf) -> np.ndarray:
    """The last value stamped at or before each moment `at` (T,), at most `max_age` s old: (T, C), else NaN."""
    last = np.searchsorted(stream.time, at + TOLERANCE, side="right") - 1
    out = np.full((len(at), stream.value.shape[1]), np.nan, dtype=stream.value.dtype)
    if len(stream.time):
        fresh = (last >= 0) & (at - stream.time[np.maximum(last, 0)] <= max_age + TOLERANCE)
        out[fresh] = stream.value[last[fresh]]
    return out


def window(stream: Stream, at: np.ndarray, width: float, what: Statistic = "mean") -> np.ndarray:
    """Statistic of the values stamped in (t − width, t] for each moment t of `at` (T,): (T, C).

    Missing entries do not count. Windows may overlap. An empty window: NaN, or 0 for sum and count.
    """
    high = np.searchsorted(stream.time, at + TOLERANCE, side="right")
    low = np.searchsorted(stream.time, at - width + TOLERANCE, side="right")
    pairs = np.stack([low, high], axis=1).ravel()
    empty = (high <= low)[:, None]
    there = ~np.isnan(stream.value)

    def over(function: np.ufunc, values: np.ndarray) -> np.ndarray:  # sums of their own, not differences of sums
        padded = np.concatenate([values, np.zeros_like(values[:1], shape=(1, values.shape[1]))])
        return function.reduceat(padded, pairs, axis=0)[::2]

    count = np.where(empty, 0, over(np.add, there.astype(np.int64)))
    if what == "count":
        return count.astype(stream.value.dtype)
    if what == "max":
        top = over(np.maximum, np.where(there, stream.value, -np.inf))
        return np.where(count > 0, top, np.nan)
    total = np.where(empty, 0, over(np.add, np.where(there, stream.value, 0)))
    return total if what == "sum" else np.where(count > 0, total / np.maximum(count, 1), np.nan)


def interpolate(stream: Stream, at: np.ndarray, max_gap: float = np.inf) -> np.ndarray:
    """Linear between the neighbours of each moment `at` (T,), at most `max_gap` s apart: (T, C), else NaN.

    Before the first and after the last stamp: NaN. The right neighbour lies in the future: not for what a running
    system could not know.
    """
    out = np.full((len(at), stream.value.shape[1]), np.nan)
    if not len(stream.time):
        return out
    left = np.searchsorted(stream.time, at + TOLERANCE, side="right") - 1
    exact = (left >= 0) & (np.abs(at - stream.time[np.maximum(left, 0)]) <= TOLERANCE)
    out[exact] = stream.value[left[exact]]
    inside = np.flatnonzero(~exact & (left >= 0) & (left < len(stream.time) - 1))
    before, after = stream.time[left[inside]], stream.time[left[inside] + 1]
    near = after - before <= max_gap + TOLERANCE
    inside, before, after = inside[near], before[near], after[near]
    share = ((at[inside] - before) / (after - before))[:, None]
    out[inside] = stream.value[left[inside]] * (1 - share) + stream.value[left[inside] + 1] * share
    return out


@dataclass(frozen=True)
class Rule:
    """How one stream comes onto the axis: `hold` (limit = `max_age`), a `window` statistic (limit = its width) or
    `interpolate` (limit = `max_gap`); limit in s."""

    how: Literal["hold", "interpolate", "mean", "sum", "max", "count"] = "hold"
    limit: float = np.inf


def align(streams: Mapping[str, Stream], at: np.ndarray, rules: Mapping[str, Rule]) -> dict[str, np.ndarray]:
    """Every stream on the moments `at` (T,), by its rule: name → (T, C). Raises KeyError for a stream without one."""
    out = {}
    for name, stream in streams.items():
        how, limit = rules[name].how, rules[name].limit
        if how == "hold":
            out[name] = hold(stream, at, limit)
        elif how == "interpolate":
            out[name] = interpolate(stream, at, limit)
        else:
            out[name] = window(stream, at, limit, how)
    return out
