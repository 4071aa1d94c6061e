"""Motion as polynomials of time: few numbers instead of a place per step, smooth by construction.

Polynomials of low degree describe how vehicles and people move for some seconds about as well as the measurements
themselves are (Yao et al. 2022, arXiv:2211.01696).
"""

from __future__ import annotations

import numpy as np

LEAST = 0.01  # m: smallest scale of a coefficient


def basis(steps: int, degree: int) -> np.ndarray:
    """Q (T, P), P = min(degree, T): displacement = Q·c, a polynomial in time that is 0 now. QᵀQ = 1.

    The columns are those of t, t², …, t^P made orthogonal in this order: the first is steady motion.
    """
    time = np.arange(1, steps + 1) / steps
    q, r = np.linalg.qr(np.stack([time**p for p in range(1, min(degree, steps) + 1)], 1))
    return q * np.sign(np.diag(r))


def scales(moved: np.ndarray, degree: int) -> np.ndarray:
    """Root mean square (P, axes) of the coefficients of displacements (n, T, axes) in m, where all T are known.

    Where none is, that of the first is taken from what is known, of the others a tenth of it.
    """
    q = basis(moved.shape[1], degree)
    whole = moved[~np.isnan(moved).any((1, 2))]
    if len(whole):
        found = np.sqrt(np.mean(np.einsum("tp,nta->npa", q, whole) ** 2, 0))
    else:
        first = np.sqrt(np.nanmean(moved**2, (0, 1)) * moved.shape[1])
        found = np.stack([first, *[first / 10] * (q.shape[1] - 1)])
    return np.maximum(found, LEAST)
