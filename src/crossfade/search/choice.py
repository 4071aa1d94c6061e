"""The choice of α from the scores of an inner cross-validation."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """The scores of every α over the inner folds, their means and standard errors, and the place of the chosen α."""

    alphas: Sequence[float]
    scores: Sequence[Sequence[float]]
    means: Sequence[float]
    errors: Sequence[float]
    chosen: int

    @property
    def alpha(self) -> float:
        return self.alphas[self.chosen]


def choose(
    alphas: Sequence[float],
    scores: Sequence[Sequence[float]],
    higher_is_better: bool,
    even: float,
    one_se: bool = False,
) -> Choice:
    """The α with the best mean score; with `one_se` the α nearest to `even` within one standard error of it.

    scores (A, J): of each α on each inner fold; SE = s / √J with s over the J folds of the best α (Breiman et al. 1984,
    Classification and Regression Trees, 3.4.3). Of equal means, and within the error, the α nearest to `even` is taken.
    """
    means = [statistics.fmean(row) for row in scores]
    errors = [statistics.stdev(row) / math.sqrt(len(row)) if len(row) > 1 else 0.0 for row in scores]
    sign = 1 if higher_is_better else -1
    nearest = sorted(range(len(alphas)), key=lambda i: abs(alphas[i] - even))
    best = max(nearest, key=lambda i: sign * means[i])  # the first of equals
    if one_se:
        best = next(i for i in nearest if sign * means[i] >= sign * means[best] - errors[best])
    return Choice(alphas, scores, means, errors, best)
