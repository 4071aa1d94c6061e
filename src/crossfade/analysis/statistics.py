"""Tests of "is there a difference": over samples, over seeds and folds, between several models at once.

What scipy has is taken from there. Numbers come with the equation that they are from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Compared(NamedTuple):
    """a − b, its interval, and the p-value of "no difference"; NaN where they are not defined."""

    value: float
    low: float
    high: float
    p: float


def mcnemar(right_a: np.ndarray, right_b: np.ndarray) -> float:
    """Exact p-value of McNemar's test: right_a, right_b (N,) bool, the same samples.

    Of the samples that only one of the two got right, half are a's where there is no difference: a binomial test
    (McNemar 1947, doi:10.1007/BF02295996). 1 where they never differ.
    """
    only_a, only_b = int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    if only_a + only_b == 0:
        return 1.0
    return float(stats.binomtest(only_a, only_a + only_b).pvalue)


def delong(truth: np.ndarray, score_a: np.ndarray, score_b: np.ndarray, level: float = 0.95) -> Compared:
    """AUROC of a − that of b on the same samples: truth (N,) 0/1, scores (N,).

    Var = Cov(V₁₀)/m + Cov(V₀₁)/n over the placements of the m positives among the n negatives and the other way
    round (DeLong et al. 1988, doi:10.2307/2531595, eq. 5 and 6); the placements from mid-ranks (Sun & Xu 2014,
    doi:10.1109/LSP.2014.2337313). Raises ValueError where one of the classes has fewer than two samples.
    """
    truth = np.asarray(truth, dtype=bool)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if positives < 2 or negatives < 2:
        raise ValueError(f"DeLong's test needs two samples of each class, not {positives} and {negatives}")
    up, down = [], []
    for score in (score_a, score_b):
        rank = stats.rankdata(score)
        up.append((rank[truth] - stats.rankdata(score[truth])) / negatives)
        down.append(1 - (rank[~truth] - stats.rankdata(score[~truth])) / positives)
    area = np.mean(up, axis=1)
    covariance = np.cov(up) / positives + np.cov(down) / negatives
    value = float(area[0] - area[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if variance <= 0:  # the two rank all samples alike
        return Compared(value, value, value, 1.0 if value == 0 else 0.0)
    sd = math.sqrt(variance)
    reach = float(stats.norm.ppf((1 + level) / 2)) * sd
    return Compared(value, value - reach, value + reach, float(2 * stats.norm.sf(abs(value) / sd)))


def corrected_t(differences: Sequence[float], test_share: float, level: float = 0.95) -> Compared:
    """Mean difference over J seeds or folds, with the corrected resampled t-test.

    t = d̄ / √((1/J + n_test/n_train)·s²), J − 1 degrees of freedom (Nadeau & Bengio 2003,
    doi:10.1023/A:1024068626366, eq. 9): the training sets overlap, so that 1/J alone would promise too much.
    `test_share` is n_test/n_train. NaN for one difference alone.
    """
    d = np.asarray(differences, dtype=np.float64)
    mean = float(d.mean())
    if len(d) < 2:
        return Compared(mean, math.nan, math.nan, math.nan)
    sd = math.sqrt((1 / len(d) + test_share) * float(d.var(ddof=1)))
    if sd == 0:
        return Compared(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    reach = float(stats.t.ppf((1 + level) / 2, len(d) - 1)) * sd
    return Compared(mean, mean - reach, mean + reach, float(2 * stats.t.sf(abs(mean) / sd, len(d) - 1)))


def holm(p: Sequence[float], tests: int | None = None) -> list[float]:
    """p-values of several tests, adjusted so that any false alarm among them keeps the level (Holm 1979, step-down).

    p̃_(i) = max over j ≤ i of min(1, (n − j + 1)·p_(j)). `tests` is n where these were chosen from more, by the same
    data: those not given can only stand further back, so that the level holds.
    """
    order = np.argsort(p, kind="stable")
    many = len(order) if tests is None else tests
    scaled = np.asarray(p, dtype=np.float64)[order] * np.arange(many, many - len(order), -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted.tolist()


class Ranking(NamedTuple):
    """Mean ranks (k,), 1 the best; p of Friedman's test; the critical difference of Nemenyi's."""

    ranks: np.ndarray
    p: float
    critical: float


def rank_models(scores: np.ndarray, better: str = "max", level: float = 0.95) -> Ranking:
    """Friedman's test and Nemenyi's critical difference for k models on J data sets, seeds or folds: scores (J, k).

    CD = q·√(k(k + 1)/(6J)), q the studentised range over √2 (Demšar 2006, JMLR 7, section 3.2.2): two models whose mean
    ranks differ by less are not distinguishable. Raises ValueError for fewer than three models or two rows.
    """
    scores = np.asarray(scores, dtype=np.float64)
    rows, models = scores.shape
    if models < 3 or rows < 2:
        raise ValueError(f"Ranks need three models and two rows of scores, not {models} and {rows}")
    ranks = stats.rankdata(-scores if better == "max" else scores, axis=1)
    p = 1.0 if (scores == scores[:, :1]).all() else float(stats.friedmanchisquare(*scores.T).pvalue)
    q = float(stats.studentized_range.ppf(level, models, np.inf)) / math.sqrt(2)
    return Ranking(ranks.mean(0), p, q * math.sqrt(models * (models + 1) / (6 * rows)))


def cohens_d(differences: Sequence[float]) -> float:
    """Mean of paired differences over their standard deviation (Cohen 1988, d_z); NaN where that is 0."""
    d = np.asarray(differences, dtype=np.float64)
    sd = d.std(ddof=1) if len(d) > 1 else 0.0
    return float(d.mean() / sd) if sd > 0 else math.nan


def cliffs_delta(a: Sequence[float], b: Sequence[float]) -> float:
    """P(a > b) − P(a < b) for one value drawn from each (Cliff 1993, doi:10.1037/0033-2909.114.3.494)."""
    signs = np.sign(np.subtract.outer(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)))
    return float(signs.mean())
