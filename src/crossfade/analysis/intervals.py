"""Intervals by bootstrap over the test samples, whole groups at a time, and the paired difference of two models.

A resample draws as many groups as there are, with replacement: a multinomial weight per group. Metrics of a confusion
matrix are then weighted sums, so that all resamples are one matrix product and no loop. Percentile interval: Efron
1979, doi:10.1214/aos/1176344552; clusters resampled whole: Davison & Hinkley 1997, section 3.8.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from crossfade.analysis.confusion import confusions, metric_of

LARGEST = 4 * 2**20  # weights held at once, so that many groups cost time and not memory


class Interval(NamedTuple):
    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """a − b with its bootstrap interval; p is that of a two-sided permutation test of "no difference"."""

    value: float
    low: float
    high: float
    p: float


def confusion_interval(
    truth: np.ndarray,
    predicted: np.ndarray,
    groups: np.ndarray,
    classes: int,
    metric: str,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a confusion matrix's metric: truth, predicted (N,) class numbers, groups (N,).

    Where not one sample is wrong every resample is perfect too; then the lower end is the exact one of `_faultless`.
    """
    matrices = confusions(truth, predicted, groups, classes)
    value = float(metric_of(matrices.sum(0), metric))
    if np.array_equal(truth, predicted):
        return Interval(value, _faultless(matrices, metric, level), value)
    (resampled,) = _resampled([matrices], metric, resamples, seed)
    return Interval(value, *_ends(resampled, level))


def paired_difference(
    truth: np.ndarray,
    predicted_a: np.ndarray,
    predicted_b: np.ndarray,
    groups: np.ndarray,
    classes: int,
    metric: str,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Difference:
    """metric(a) − metric(b) on the same samples: interval from the same resamples of both, p from `_permutation_p`."""
    # side by side, so that a class that only one of them predicts (−1) has the same number in both
    both = confusions(
        np.concatenate([truth, truth]),
        np.concatenate([predicted_a, predicted_b]),
        np.concatenate([_numbered(groups), _numbered(groups) + len(groups)]),
        classes,
    )
    a, b = both[: len(both) // 2], both[len(both) // 2 :]
    of_a, of_b = _resampled([a, b], metric, resamples, seed)
    value = float(metric_of(a.sum(0), metric) - metric_of(b.sum(0), metric))
    return Difference(value, *_ends(of_a - of_b, level), _permutation_p(a, b, metric, resamples, seed))


def bootstrap(
    metric: Callable[..., float],
    arrays: Sequence[np.ndarray],
    groups: np.ndarray,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of any metric(*arrays), each array (N, …): slower, one call a resample.

    Resamples in which the metric is not defined (NaN, such as AUROC of one class) are left out. Raises ValueError
    where that leaves fewer than half of them.
    """
    values = replicates(metric, arrays, groups, resamples, seed)
    return percentile_interval(values, level)


def bootstrap_means(
    values: np.ndarray, groups: np.ndarray, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> list[Interval]:
    """Of each row of values (M, N) the mean and its percentile interval over whole groups: all from the same draws."""
    group = _numbered(groups)
    count = np.bincount(group)
    sums = np.stack([np.bincount(group, row) for row in values])
    rng = np.random.default_rng(seed)
    even = np.full(len(count), 1 / len(count))
    chunk = max(1, LARGEST // len(count))
    drawn = []
    for start in range(0, resamples, chunk):
        weights = rng.multinomial(len(count), even, size=min(chunk, resamples - start)).astype(np.float64)
        drawn.append((weights @ sums.T) / (weights @ count)[:, None])
    ends = np.concatenate(drawn)
    return [Interval(float(row.mean()), *_ends(ends[:, i], level)) for i, row in enumerate(values)]


def replicates(
    metric: Callable[..., float],
    arrays: Sequence[np.ndarray],
    groups: np.ndarray,
    resamples: int = 1000,
    seed: int = 0,
) -> np.ndarray:
    """metric(*arrays) of the samples themselves, then of each resample of whole groups: (1 + resamples,).

    The draws depend on `groups` and `seed` alone: two models on the same samples have the same, and their replicates
    are paired.
    """
    group = _numbered(groups)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    rng = np.random.default_rng(seed)
    values = np.empty(1 + resamples)
    values[0] = metric(*arrays)
    for i in range(1, 1 + resamples):
        rows = np.concatenate([members[g] for g in rng.integers(0, len(members), len(members))])
        values[i] = metric(*(array[rows] for array in arrays))
    return values


def percentile_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """The interval of `replicates`. Raises ValueError where the metric is NaN in more than half of the resamples."""
    drawn = values[1:]
    defined = drawn[~np.isnan(drawn)]
    if 2 * len(defined) < len(drawn):
        raise ValueError(f"The metric is defined in {len(defined)} of {len(drawn)} resamples: too few for an interval")
    return Interval(float(values[0]), *_ends(defined, level))


def mean_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (n − 1) over folds or seeds; NaN for the deviation of a single value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else float("nan")


def _resampled(matrices: Sequence[np.ndarray], metric: str, resamples: int, seed: int) -> list[np.ndarray]:
    """The metric in each resample: one array (resamples,) per stack of matrices (G, C, C), the resamples the same."""
    groups, classes = matrices[0].shape[:2]
    rng = np.random.default_rng(seed)
    even = np.full(groups, 1 / groups)
    chunk = max(1, LARGEST // groups)
    found: list[list[np.ndarray]] = [[] for _ in matrices]
    for start in range(0, resamples, chunk):
        weights = rng.multinomial(groups, even, size=min(chunk, resamples - start)).astype(np.float64)
        for values, stack in zip(found, matrices, strict=True):
            values.append(metric_of((weights @ stack.reshape(groups, -1)).reshape(-1, classes, classes), metric))
    return [np.concatenate(values) for values in found]


def _permutation_p(a: np.ndarray, b: np.ndarray, metric: str, resamples: int, seed: int) -> float:
    """p-value of "it makes no difference which of the two models predicted a group": swap them in random groups.

    p = (1 + #{|Δ*| ≥ |Δ|}) / (1 + resamples), never 0 (Phipson & Smyth 2010, doi:10.2202/1544-6115.1585). Its level
    holds for any number of samples; a p-value from the bootstrap found a difference of balanced accuracies where
    there was none in 10 instead of 5 of 100 simulated studies of 60 samples.
    """
    groups, classes = a.shape[:2]
    rng = np.random.default_rng(seed)
    flat_a, flat_b = a.reshape(groups, -1), b.reshape(groups, -1)
    observed = abs(metric_of(a.sum(0), metric) - metric_of(b.sum(0), metric))
    chunk = max(1, LARGEST // groups)
    as_large = 0
    for start in range(0, resamples, chunk):
        stays = rng.integers(0, 2, size=(min(chunk, resamples - start), groups)).astype(np.float64)
        one, other = stays @ flat_a + (1 - stays) @ flat_b, stays @ flat_b + (1 - stays) @ flat_a
        delta = metric_of(one.reshape(-1, classes, classes), metric) - metric_of(
            other.reshape(-1, classes, classes), metric
        )
        as_large += int((np.abs(delta) >= observed - 1e-12).sum())  # equal ones differ by rounding
    return (1 + as_large) / (1 + resamples)


def _faultless(matrices: np.ndarray, metric: str, level: float) -> float:
    """Lower end of the interval when all G groups were right: p^G = (1 − level)/2 (Clopper & Pearson 1934).

    For the macro metrics the doubt is greatest in the class with the fewest groups, G_c, and weighs 1/C there.
    """
    seen = (matrices.sum(-1) > 0).sum(0)  # groups in which each class occurs
    seen = seen[seen > 0]
    fewest, share = (len(matrices), 1.0) if metric == "accuracy" else (int(seen.min()), 1 / len(seen))
    return 1 - share * (1 - ((1 - level) / 2) ** (1 / fewest))


def _ends(values: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _numbered(groups: np.ndarray) -> np.ndarray:
    return np.unique(groups, return_inverse=True)[1]
