"""A metric against α: where it is best, how sure that is, and how wide the range is that cannot be told from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from crossfade.analysis.statistics import Compared, holm
from crossfade.analysis.verdict import is_difference

RESAMPLES = 2000


class Optimum(NamedTuple):
    """The best α of a curve, its value, and the interval of α; NaN ends where one repeat is all there is."""

    place: int
    alpha: float
    value: float
    low: float
    high: float


def optimum(alpha: np.ndarray, scores: np.ndarray, better: str, level: float = 0.95, seed: int = 0) -> Optimum:
    """The optimum of the mean curve: alpha (A,) rising, scores (J, A) of J repeats (seeds, folds), the same at every α.

    α* = argmax_α mean_j s_jα; its interval is the percentile interval of the argmax when the J repeats are resampled
    (whole curves: the bootstrap of pairs, Efron & Tibshirani 1993, section 9.5). Values of the grid only: nothing is
    interpolated. `better`: "max" or "min". Raises ValueError for scores that are not all known.
    """
    if not np.isfinite(scores).all():
        raise ValueError("the optimum needs every repeat's score at every α")
    sign = 1.0 if better == "max" else -1.0
    mean = scores.mean(0)
    place = int((sign * mean).argmax())
    found = (place, float(alpha[place]), float(mean[place]))
    repeats = len(scores)
    if repeats < 2:
        return Optimum(*found, math.nan, math.nan)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(repeats, np.full(repeats, 1 / repeats), size=RESAMPLES)
    drawn = alpha[(sign * (weights @ scores)).argmax(1)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], method="closest_observation")
    return Optimum(*found, float(low), float(high))


def flat_range(alpha: np.ndarray, place: int, tests: Mapping[int, Compared]) -> tuple[float, float] | None:
    """The α around the one at `place`, without a gap, that are not distinguishable from it; its ends are of the grid.

    `tests`: the difference to each other place; their p are adjusted by Holm over the curve. None where a difference
    could not be tested.
    """
    if any(math.isnan(test.p) for test in tests.values()):
        return None
    adjusted = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    differs = {i: is_difference(test, adjusted[i]) for i, test in tests.items()}
    first = last = place
    while first > 0 and not differs[first - 1]:
        first -= 1
    while last < len(alpha) - 1 and not differs[last + 1]:
        last += 1
    return float(alpha[first]), float(alpha[last])
