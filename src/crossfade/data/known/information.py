"""Information about the label in bits, and its partial decomposition, of a joint distribution p(t_1, …, t_M, y)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Decomposition(NamedTuple):
    """The four parts of I(Y; A, B), in bits."""

    redundancy: float
    unique_first: float
    unique_second: float
    synergy: float


def marginal(joint: np.ndarray, which: Sequence[int]) -> np.ndarray:
    """p(t_which, y), all values of t_which in one axis: (T, C)."""
    others = tuple(axis for axis in range(joint.ndim - 1) if axis not in which)
    return joint.sum(axis=others).reshape(-1, joint.shape[-1])


def specific_information(table: np.ndarray) -> np.ndarray:
    """I(Y = y; T) = Σ_t p(t | y) log₂ (p(y | t) / p(y)), of p(t, y) (T, C): (C,) bits; 0 for a y that never occurs.

    Williams & Beer 2010, arXiv:1004.2515, eq. 2.
    """
    prior, seen = table.sum(0), table.sum(1, keepdims=True)
    likelihood = np.divide(table, prior, out=np.zeros_like(table), where=prior > 0)
    ratio = np.divide(table, seen * prior, out=np.ones_like(table), where=table > 0)
    return (likelihood * np.log2(ratio)).sum(0)


def mutual_information(joint: np.ndarray, which: Sequence[int]) -> float:
    """I(Y; T_which) = Σ_y p(y) I(Y = y; T_which), bits."""
    table = marginal(joint, which)
    return float(table.sum(0) @ specific_information(table))


def redundancy(joint: np.ndarray, groups: Sequence[Sequence[int]]) -> float:
    """I_min = Σ_y p(y) min_g I(Y = y; T_g), bits (Williams & Beer 2010, arXiv:1004.2515, eq. 3).

    Known for taking equal amounts for equal content: of y = (s_1, s_2), two independent bits, it calls one redundant.
    None of the laws is of that form.
    """
    each = [specific_information(marginal(joint, group)) for group in groups]
    return float(joint.sum(axis=tuple(range(joint.ndim - 1))) @ np.min(each, axis=0))


def decompose(joint: np.ndarray, first: Sequence[int] = (0,), second: Sequence[int] = (1,)) -> Decomposition:
    """R = I_min, U_1 = I(Y; T_1) − R, U_2 = I(Y; T_2) − R, S = I(Y; T_1, T_2) − R − U_1 − U_2, bits.

    `first` and `second` are groups of modalities without a common one; of more than two modalities, one against
    the rest says what it adds. Williams & Beer 2010, arXiv:1004.2515, section 4 (two sources).
    """
    shared = redundancy(joint, [first, second])
    one, two = mutual_information(joint, first), mutual_information(joint, second)
    both = mutual_information(joint, [*first, *second])
    return Decomposition(shared, one - shared, two - shared, both - one - two + shared)
