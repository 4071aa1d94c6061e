"""Two models on the same samples: the difference of a target's metric, from their prediction tables."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import stats

from crossfade.analysis.area import area_replicates
from crossfade.analysis.confusion import METRICS
from crossfade.analysis.intervals import paired_difference
from crossfade.analysis.statistics import Compared, delong, mcnemar

RESAMPLES = 2000


def compare_tables(
    a: pd.DataFrame,
    b: pd.DataFrame,
    target: str,
    metric: str,
    multiclass: bool,
    resamples: tuple[pd.DataFrame | None, pd.DataFrame | None] = (None, None),
    draws: int = RESAMPLES,
) -> Compared | None:
    """metric(a) − metric(b) over the samples whose truth is known; None where no paired test of this metric is at hand.

    Metrics of a confusion matrix and means over samples (a column "<target>.<metric>" of the table) by bootstrap and
    permutation over groups; AUROC of two classes by DeLong's test where each sample is a group, else, and of more
    classes, by bootstrap over groups; any other (mean average precision, F1 of several labels, an alarm's AUROC) from
    both models' values in the same bootstrap draws, a run's table "resamples_<target>".
    `draws` of bootstrap and permutation: the p-value is at least 1/(1 + draws).
    Raises ValueError where the tables do not hold the same samples, groups or draws.
    """
    if list(a["id"]) != list(b["id"]):
        raise ValueError("the two were not tested on the same samples")
    drawn_a, drawn_b = resamples
    if drawn_a is not None and drawn_b is not None and metric in drawn_a and metric in drawn_b:
        if list(a["group"]) != list(b["group"]):
            raise ValueError("the samples of the two are not grouped alike")
        return resampled_difference(drawn_a[metric].to_numpy(float), drawn_b[metric].to_numpy(float))
    column = f"{target}.{metric}"
    if multiclass and metric in METRICS:
        return _confusions(a, b, target, metric, draws)
    if multiclass and metric == "auroc":
        return _auroc(a, b, target, draws)
    if column in a and column in b:
        groups = a["group"].astype(str).to_numpy()
        return mean_difference(a[column].to_numpy(float), b[column].to_numpy(float), groups, resamples=draws)
    return None


def resampled_difference(a: np.ndarray, b: np.ndarray, level: float = 0.95) -> Compared:
    """metric(a) − metric(b) from the `intervals.replicates` (1 + R,) of both, made of the same draws.

    Percentile interval of the differences Δ*, and the achieved significance level of a test that turns it round
    (Efron & Tibshirani 1993, An Introduction to the Bootstrap, section 15.4), of both sides and never 0:

        p = min(1, 2·(1 + min(#{Δ* ≤ 0}, #{Δ* ≥ 0}))/(1 + R))

    Where no draw lies on the other side, it is that of a normal difference with the draws' deviation if that is less:
    one of several tests must be able to pass them all. Draws in which either is NaN do not count; all of it is NaN
    where that leaves fewer than half. Raises ValueError where R differs.
    """
    if len(a) != len(b):
        raise ValueError(f"the two were resampled differently, {len(a) - 1} and {len(b) - 1} times")
    drawn = (a - b)[1:]
    drawn = drawn[~np.isnan(drawn)]
    if 2 * len(drawn) < len(a) - 1:
        return Compared(float(a[0] - b[0]), math.nan, math.nan, math.nan)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    fewer = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    value, p = float(a[0] - b[0]), min(1.0, 2 * (1 + fewer) / (1 + len(drawn)))
    if fewer == 0 and (sd := float(drawn.std(ddof=1))) > 0:
        p = min(p, float(2 * stats.norm.sf(abs(value) / sd)))
    return Compared(value, float(low), float(high), p)


def only_one_right(a: pd.DataFrame, b: pd.DataFrame, target: str) -> tuple[int, int, float] | None:
    """Samples that only a, and only b, has right, and McNemar's p-value of their balance.

    None where a group has several samples: the test takes each for a trial of its own.
    """
    if a["group"].nunique() < len(a):
        return None
    known = a[f"{target}.truth"].notna()
    truth = a.loc[known, f"{target}.truth"].astype(str)
    of_a, of_b = ((t.loc[known, f"{target}.predicted"].astype(str) == truth).to_numpy() for t in (a, b))
    return int((of_a & ~of_b).sum()), int((~of_a & of_b).sum()), mcnemar(of_a, of_b)


def _confusions(a: pd.DataFrame, b: pd.DataFrame, target: str, metric: str, draws: int) -> Compared:
    known = a[f"{target}.truth"].notna()
    classes = sorted(a.loc[known, f"{target}.truth"].astype(str).unique())
    number = {name: i for i, name in enumerate(classes)}

    def coded(table: pd.DataFrame, column: str) -> np.ndarray:
        names = table.loc[known, f"{target}.{column}"].astype(str)
        return names.map(number).fillna(-1).astype(int).to_numpy()

    groups = a.loc[known, "group"].astype(str).to_numpy()
    truth, of_a, of_b = coded(a, "truth"), coded(a, "predicted"), coded(b, "predicted")
    return Compared(*paired_difference(truth, of_a, of_b, groups, len(classes), metric, resamples=draws))


def _auroc(a: pd.DataFrame, b: pd.DataFrame, target: str, draws: int) -> Compared | None:
    """DeLong's test takes each sample for a trial of its own: not so where a group has several."""
    columns = [c for c in a.columns if c.startswith(f"{target}.p(")]
    known = a[f"{target}.truth"].notna()
    number = {column[len(target) + 3 : -1]: i for i, column in enumerate(columns)}
    label = a.loc[known, f"{target}.truth"].astype(str).map(number).to_numpy(int)
    groups = a.loc[known, "group"].astype(str).to_numpy()
    of_a, of_b = (table.loc[known, columns].to_numpy(float) for table in (a, b))
    if len(columns) == 2 and len(np.unique(groups)) == len(groups):
        if min(np.bincount(label, minlength=2)) < 2:
            return None
        return delong(label == 1, of_a[:, 1], of_b[:, 1])
    return resampled_difference(
        area_replicates(label, of_a, groups, draws), area_replicates(label, of_b, groups, draws)
    )


def mean_difference(
    a: np.ndarray, b: np.ndarray, groups: np.ndarray, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Compared:
    """mean(a) − mean(b) of values per sample (N,): interval by bootstrap over groups, p by swapping a and b in groups.

    p = (1 + #{|Δ*| ≥ |Δ|})/(1 + resamples). Samples where either is NaN do not count.
    """
    counts = ~(np.isnan(a) | np.isnan(b))
    group = np.unique(groups[counts], return_inverse=True)[1]
    difference = (a - b)[counts]
    total, size = np.bincount(group, difference), np.bincount(group).astype(np.float64)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(total), np.full(len(total), 1 / len(total)), size=resamples)
    low, high = np.quantile((weights @ total) / (weights @ size), [(1 - level) / 2, (1 + level) / 2])
    value = float(difference.mean())
    signs = rng.choice([-1.0, 1.0], size=(resamples, len(total)))
    as_large = int((np.abs(signs @ total) >= abs(total.sum()) - 1e-12).sum())
    return Compared(value, float(low), float(high), (1 + as_large) / (1 + resamples))
