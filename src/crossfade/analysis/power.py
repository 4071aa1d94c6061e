"""How large a difference must be for a study of this size to find it, and how much larger a study would find this one.

A difference found by a study with little power is overstated by it, since only a lucky draw was large enough to be
found (Button et al. 2013, doi:10.1038/nrn3475).
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats
from scipy.optimize import brentq

POWER = 0.8
MOST = 10_000  # repeats that are tried
STEPS = 2000  # of an integral


def detectable_over_repeats(sd: float, repeats: int, test_share: float, level: float = 0.95) -> float:
    """Least true mean difference that `statistics.corrected_t` finds in four of five studies of J repeats.

    δ·sd·√(1/J + n_test/n_train) with δ so that a noncentral t of J − 1 degrees of freedom lies beyond the test's
    quantiles with probability 0.8. `sd` is that of the J differences; NaN for fewer than two repeats.
    """
    if repeats < 2:
        return math.nan
    return _noncentrality(repeats - 1, level) * sd * math.sqrt(1 / repeats + test_share)


def repeats_needed(difference: float, sd: float, test_share: float, level: float = 0.95) -> int | None:
    """The fewest repeats with which a true `difference` is found in four of five studies; None where no number does.

    Repeats share training samples: √(1/J + n_test/n_train) does not fall below √(n_test/n_train).
    """
    least = abs(difference)

    def found(repeats: int) -> bool:
        return detectable_over_repeats(sd, repeats, test_share, level) <= least

    if not found(MOST):
        return None
    low, high = 1, MOST  # one repeat is never enough: NaN
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def detectable_over_samples(low: float, high: float, level: float = 0.95) -> float:
    """Least true difference found in four of five test sets of this size, from the ends of this one's interval.

    (z_{(1+level)/2} + z_{0.8})·se, se = (high − low)/(2·z_{(1+level)/2}).
    """
    z = float(stats.norm.ppf((1 + level) / 2))
    return (z + float(stats.norm.ppf(POWER))) * (high - low) / (2 * z)


def groups_needed(difference: float, low: float, high: float, groups: int, level: float = 0.95) -> int | None:
    """Test groups with which a true `difference` is found in four of five studies: n·(detectable/difference)².

    None for a difference of 0.
    """
    if difference == 0:
        return None
    return math.ceil(groups * (detectable_over_samples(low, high, level) / difference) ** 2)


def _noncentrality(freedom: int, level: float) -> float:
    """δ of the noncentral t that lies beyond the two-sided quantiles ±q of the central one with probability 0.8.

    That probability is the mean over s² ~ χ²/ν of Φ(δ − q·s) + Φ(−δ − q·s); scipy's own is NaN for few degrees ν.
    """
    quantile = float(stats.t.ppf((1 + level) / 2, freedom))
    share = (np.arange(STEPS) + 0.5) / STEPS
    beyond = quantile * np.sqrt(stats.chi2.ppf(share, freedom) / freedom)

    def lacking(delta: float) -> float:
        return float((stats.norm.cdf(delta - beyond) + stats.norm.cdf(-delta - beyond)).mean()) - POWER

    return float(brentq(lacking, 0.0, 4 * quantile + 4))
