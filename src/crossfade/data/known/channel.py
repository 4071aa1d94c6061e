"""From hidden bits to what is observed, and the closed forms of the Gaussian case.

    t_m = ±1 + σ_m n,  n ~ N(0, 1):   + where the bit is 1

t_m is sufficient for the bit: the columns of a modality are t_m times a unit vector, plus noise at right angles to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit
from scipy.stats import norm

# of one modality, by how many are looked at together: the table of all has at most some 10⁶ cells
CELLS = {1: 2000, 2: 600, 3: 100, 4: 30}


def channel(sigma: float, cells: int) -> np.ndarray:
    """p(cell of t | bit), (2, cells): t cut at points evenly spread over ±(1 + 6σ); without noise the bit itself.

    Cutting loses information, so what is computed of the cells bounds that of t from below (data processing).
    An even number of cells has a cut at 0, where a single bit is decided.
    """
    if sigma == 0:
        return np.eye(2)
    cuts = np.linspace(-1 - 6 * sigma, 1 + 6 * sigma, cells + 1)[1:-1]
    below = norm.cdf((cuts - np.array([[-1.0], [1.0]])) / sigma)
    return np.diff(below, axis=1, prepend=0.0, append=1.0)


def observed(joint: np.ndarray, which: Sequence[int], sigmas: Sequence[float]) -> np.ndarray:
    """p(t_which, y) of p(s_1, …, s_M, y); `sigmas` of all M. Axes in the order of the modalities, the label last."""
    others = tuple(axis for axis in range(joint.ndim - 1) if axis not in which)
    table = joint.sum(axis=others)
    for axis, m in enumerate(sorted(which)):
        seen = channel(sigmas[m], CELLS[len(which)])
        table = np.moveaxis(np.tensordot(table, seen, axes=(axis, 0)), -1, axis)
    return table


def optimal_alpha(sigmas: Sequence[float], scales: Sequence[float] | None = None) -> np.ndarray:
    """α_m ∝ s_m / σ_m², of z = Σ_m α_m t_m / s_m with t_m = y + σ_m n, y = ±1; s_m = 1 without `scales`: (M,).

    Inverse-variance weights: log p(t | y = 1) − log p(t | y = −1) = Σ_m 2 t_m / σ_m², so that this z is sufficient for
    y, and any other direction has a lower ratio (Σ α_m)² / Σ α_m² σ_m² (Cauchy–Schwarz). All σ_m must be above 0.
    `scales` are the units that t_m is given in: of z-scores the standard deviation that was divided by.
    """
    weight = np.asarray(sigmas, dtype=float) ** -2
    if scales is not None:
        weight = weight * np.asarray(scales, dtype=float)
    return weight / weight.sum()


def alpha_sd(sigmas: Sequence[float], samples: int, scales: Sequence[float] | None = None) -> np.ndarray:
    """Standard deviation of the α of maximum likelihood from N `samples`, by Fisher's information: (M,).

    With u_m = t_m / σ_m and μ_m = 1 / σ_m the log odds are 2 μ·u, and u at right angles to μ is N(0, I) whatever they
    are. So the weights' errors in these directions, the only ones that α = β / Σ_j β_j feels, are N(0, I / (N w)) with
    w = E[p (1 − p)], p = 1 / (1 + exp(−2 |μ| v)), v ~ N(|μ|, 1); the rest is the delta method.

    `scales` as in `optimal_alpha`. Estimated from the same samples they add nothing, as long as the optimum is taken
    with them too: they are a function of t, and given t this is the law of a logistic regression's weights.
    """
    sigma = np.asarray(sigmas, dtype=float)
    unit = np.ones_like(sigma) if scales is None else np.asarray(scales, dtype=float)
    mu = 1 / sigma
    length = np.sqrt((mu**2).sum())
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    p = expit(2 * length * (length + nodes))
    information = samples * float(weights @ (p * (1 - p)) / weights.sum())
    errors = (np.eye(len(mu)) - np.outer(mu, mu) / length**2) / information
    beta = 2 * mu / sigma * unit
    slope = (np.eye(len(mu)) - (beta / beta.sum())[:, None]) / beta.sum() * (unit / sigma)
    return np.sqrt(np.diag(slope @ errors @ slope.T))


def accuracy_of_alpha(alpha: Sequence[float], sigmas: Sequence[float]) -> float:
    """Φ(Σ α_m / √(Σ α_m² σ_m²)): accuracy of the sign of z = Σ_m α_m t_m; at the best α it is Bayes', Φ(√Σ σ_m⁻²)."""
    a, s = np.asarray(alpha, dtype=float), np.asarray(sigmas, dtype=float)
    return float(norm.cdf(a.sum() / np.sqrt((a**2 * s**2).sum())))
