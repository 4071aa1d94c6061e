"""Which modalities a sample has, where they go missing at random."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from crossfade.data.synthetic.draws import choose


def presence_patterns(missing: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """All presence patterns of M modalities but the empty one, and their probabilities.

    Modalities go missing independently with rate `missing`; where all did, the draw is repeated:
    p(r) = Π_m missing_m^(1−r_m) (1−missing_m)^(r_m) / (1 − Π_m missing_m).
    Returns bool (2^M − 1, M) and float (2^M − 1,).
    """
    patterns = np.array(list(itertools.product([False, True], repeat=len(missing)))[1:])
    return patterns, pattern_probability(patterns, np.asarray(missing, dtype=float))


def pattern_probability(patterns: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """p(r) of these patterns, bool (P, M), of which one occurs; `missing` (M,) are the modalities' rates."""
    probability = np.where(patterns, 1 - missing, missing).prod(axis=1)
    total: np.ndarray = probability / probability.sum()
    return total


def draw_presence(missing: Sequence[float], uniform: np.ndarray) -> np.ndarray:
    """One pattern per uniform number (N,): bool (N, M)."""
    possible, probability = presence_patterns(missing)
    return possible[choose(probability[None], uniform)]
