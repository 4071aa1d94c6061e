"""Which presence patterns are scored, and how likely each is when modalities go missing."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np

COMPLETE = 7  # modalities of which all 2^M − 1 patterns are scored
ORDERS = 24  # of more: twelve random orders in which the modalities come, and their reverses


def scored_patterns(count: int) -> np.ndarray:
    """Patterns of `count` modalities, bool (P, M), the fuller first: all but the empty one where M ≤ `COMPLETE`.

    Of more: all there, each left out, each alone, and every pattern on the way of the `modality_orders`. Those of one
    size are then a random sample of that size's.
    """
    sizes = range(1, count + 1) if count <= COMPLETE else (1, count - 1, count)
    found = {frozenset(names) for size in sizes for names in combinations(range(count), size)}
    if count > COMPLETE:
        found |= {frozenset(order[:size].tolist()) for order in modality_orders(count) for size in range(1, count)}
    rows = [tuple(column in names for column in range(count)) for names in found]
    return np.array(sorted(rows, key=lambda row: (sum(row), row), reverse=True))


def modality_orders(count: int) -> np.ndarray:
    """`ORDERS` orders, (R, M), the second half the first reversed; the same in every run, so that runs compare."""
    rng = np.random.default_rng(0)
    first = np.array([rng.permutation(count) for _ in range(ORDERS // 2)])
    return np.concatenate([first, first[:, ::-1]])


def is_complete(patterns: np.ndarray) -> bool:
    """Are all patterns there but the empty one?"""
    return len(patterns) == 2 ** patterns.shape[1] - 1


def pattern_shares(patterns: np.ndarray, rate: float) -> np.ndarray:
    """P(pattern), (P,), when each modality is absent with probability `rate`, given that one at least is there.

        P = C(M, k)·r^(M−k)·(1 − r)^k / (1 − r^M) / n_k

    for each of the n_k patterns of k modalities: where they are all C(M, k), their probability; where they are a sample
    of these, what makes a weighted mean over the sample unbiased.
    """
    modalities, size = patterns.shape[1], patterns.sum(1)
    of_size = np.array([comb(modalities, k) * rate ** (modalities - k) * (1 - rate) ** k for k in size])
    share: np.ndarray = of_size / np.bincount(size)[size]
    return share / share.sum()


def sampling_sd(patterns: np.ndarray, values: np.ndarray, rate: float) -> float:
    """Standard error of Σ_P share·value, values (P,), from having sampled the patterns; 0 where all are there.

    The sum over sizes k of p_k²·s_k²/n_k·(1 − n_k/C(M, k)): stratified sampling without replacement (Cochran 1977,
    Sampling Techniques, eq. 5.6).
    """
    share, size, total = pattern_shares(patterns, rate), patterns.sum(1), 0.0
    for k in np.unique(size):
        of_size = size == k
        n, every = int(of_size.sum()), comb(patterns.shape[1], int(k))
        if 1 < n < every:
            total += share[of_size].sum() ** 2 * values[of_size].var(ddof=1) / n * (1 - n / every)
    return float(np.sqrt(total))
