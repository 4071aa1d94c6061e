"""Redundant, unique and synergistic information about a label, estimated from what classifiers say of unseen samples.

The posterior p(y | x_m) says all of x_m that a label is told by: two modalities' redundancy and uniqueness in the sense
of BROJA depend on the joint distributions of label and posterior alone. So held-out posteriors of single modalities are
cut into cells, whose counts `decomposition` takes apart. Synergy is what the cells of the joint posterior tell more:

    t_m = cell of p̂(y | x_m),   R, U_1, U_2 of the counts of (t_1, y) and (t_2, y),   S = I(Y; t_12) − R − U_1 − U_2

As in Liang et al. 2023, arXiv:2302.12247 (section 3), R and U need no joint distribution of the modalities; they solve
for it with all samples of a batch (BATCH) or with cells of the features (CVX). Cells of posteriors are fewer, and lose
nothing but what lies between their borders. Counts say too much by about (cells − 1)(C − 1)/2N nats: the bootstrap's
estimate of that bias is taken off (Efron & Tibshirani 1993, section 10.2), and its intervals are moved with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossfade.analysis.decomposition import information, least_information
from crossfade.analysis.intervals import Interval

RESAMPLES = 120
GAP = 1e-3  # bits, of each resample's decomposition
LEVEL = 0.95


@dataclass(frozen=True)
class Interplay:
    """R, U of either side, S of two modalities or groups of them, in bits, each with its interval."""

    redundancy: Interval
    unique_first: Interval
    unique_second: Interval
    synergy: Interval


def interplay(
    first: np.ndarray, second: np.ndarray, both: np.ndarray, truth: np.ndarray, weights: np.ndarray
) -> Interplay:
    """The parts of I(Y; first, second): cells (N,) of the three posteriors, truth (N,), `weights` of `resampling`."""
    hot = np.eye(int(truth.max()) + 1)[truth]
    one, two, joint = (_counts(cell, hot, weights) for cell in (first, second, both))
    least = least_information(one, two, GAP)
    alone, other, total = (information(table) for table in (one, two, joint))
    found = (alone + other - least, least - other, least - alone, total - least)
    return Interplay(*(unbiased(values) for values in found))


def resampling(groups: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> np.ndarray:
    """How often each sample counts, (1 + R, N): once, then in resamples of whole groups."""
    _, group = np.unique(groups, return_inverse=True)
    many = int(group.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(many, np.full(many, 1 / many), size=resamples)
    return np.vstack([np.ones(len(groups)), drawn[:, group]])


def unbiased(values: np.ndarray) -> Interval:
    """2·v − mean(v*) of a value v = values[0] and its resamples v*, and their percentile interval about it."""
    bias = float(values[1:].mean() - values[0])
    low, high = np.quantile(values[1:] - 2 * bias, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(values[0]) - bias, float(low), float(high))


def mean_interval(each: np.ndarray, weights: np.ndarray) -> Interval:
    """The mean of a value per sample (N,), with its percentile interval."""
    values = (weights @ each) / weights.sum(1)
    low, high = np.quantile(values[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(values[0]), float(low), float(high))


def _counts(cell: np.ndarray, hot: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(1 + R, cells, C)."""
    where = np.eye(int(cell.max()) + 1)[cell]
    flat = (where[:, :, None] * hot[:, None, :]).reshape(len(cell), -1)
    return (weights @ flat).reshape(len(weights), where.shape[1], hot.shape[1])
