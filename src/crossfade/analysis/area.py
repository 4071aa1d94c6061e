"""The area under the ROC curve in resamples of whole groups, all of them at once."""

from __future__ import annotations

import numpy as np

LARGEST = 2**22  # weights held at once


def area_replicates(
    label: np.ndarray, probability: np.ndarray, groups: np.ndarray, resamples: int, seed: int = 0
) -> np.ndarray:
    """AUROC, one class against the rest and averaged, of the samples, then of each resample: (1 + resamples,).

    label (N,) whole numbers below C, probability (N, C), groups (N,). The draws depend on `groups`, `resamples` and
    `seed` alone, so that those of two models on the same samples are paired. A class that a resample has all or none of
    does not count there; NaN where none counts.
    """
    group = np.unique(groups, return_inverse=True)[1]
    count = int(group.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    weights = np.vstack([np.ones((1, count)), drawn])
    # the rest of one of two classes is the other: both have the same area
    classes = range(1, 2) if probability.shape[1] == 2 else range(probability.shape[1])
    step = max(1, LARGEST // len(label))
    found = [
        [weighted_areas(label == c, probability[:, c], weights[i : i + step, group]) for c in classes]
        for i in range(0, len(weights), step)
    ]
    return np.concatenate([_mean_of_known(np.stack(areas)) for areas in found])


def weighted_areas(positive: np.ndarray, score: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Σ_ij w_i·w_j·([s_i > s_j] + ½[s_i = s_j]) / (Σ_i w_i · Σ_j w_j), i the positives, j the others: (R,).

    positive (N,) bool, score (N,), weight (R, N). NaN where all or none of the weight is of positives.
    """
    order = np.argsort(score, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])  # of each run of equal scores
    sorted_weight, up = weight[:, order], positive[order]
    ups, downs = (np.add.reduceat(sorted_weight * here, first, axis=1) for here in (up, ~up))
    won = (ups * (downs.cumsum(1) - downs / 2)).sum(1)
    pairs = ups.sum(1) * downs.sum(1)
    return np.divide(won, pairs, out=np.full(len(weight), np.nan), where=pairs > 0)


def _mean_of_known(areas: np.ndarray) -> np.ndarray:
    """Mean over the classes (C, R) that are known; NaN where none is."""
    known = ~np.isnan(areas)
    total, number = np.where(known, areas, 0.0).sum(0), known.sum(0)
    return np.divide(total, number, out=np.full(areas.shape[1], np.nan), where=number > 0)
