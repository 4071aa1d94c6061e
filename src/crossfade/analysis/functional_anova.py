"""Which settings of a grid matter, alone and together: the functional ANOVA, exact on a full grid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np


class Share(NamedTuple):
    """The share of all variance that is due to these axes together, beyond what fewer of them explain."""

    axes: tuple[int, ...]
    share: float


def variance_shares(values: np.ndarray, repeated: int | None = None) -> list[Share]:
    """Shares of the variance of `values` (n_1, …, n_k), one axis a setting, every combination there; they sum to 1.

    f_u(x_u) = E[y | x_u] − Σ_{v ⊂ u} f_v(x_v),   V_u = E[f_u²],   share_u = V_u / Σ V

    with E over the grid, each combination alike (Hooker 2007, doi:10.1198/106186007X237892, eq. 3; importance of
    hyperparameters by it: Hutter et al. 2014, ICML, section 3). `repeated`: the axis of seeds and folds, which is no
    setting; all that it has a part in is one share, the axes (repeated,). Sorted, the largest first; an empty list
    where nothing varies. Raises ValueError for values that are not all known.
    """
    if not np.isfinite(values).all():
        raise ValueError("a functional ANOVA needs a full grid: the value of every combination")
    axes = range(values.ndim)
    effects: dict[tuple[int, ...], np.ndarray] = {}
    variance: dict[tuple[int, ...], float] = {}
    for size in range(values.ndim + 1):
        for chosen in combinations(axes, size):
            rest = tuple(axis for axis in axes if axis not in chosen)
            effect = values.mean(axis=rest, keepdims=True)
            for part in _parts(chosen):
                effect = effect - effects[part]
            effects[chosen] = effect
            if size:
                key = (repeated,) if repeated is not None and repeated in chosen else chosen
                variance[key] = variance.get(key, 0.0) + float((effect**2).mean())
    total = sum(variance.values())
    if total <= 1e-24 * max(1.0, float((values**2).mean())):
        return []
    return sorted((Share(key, v / total) for key, v in variance.items()), key=lambda share: -share.share)


def _parts(chosen: Sequence[int]) -> list[tuple[int, ...]]:
    return [part for size in range(len(chosen)) for part in combinations(chosen, size)]
