"""The laws: joint distributions p(s_1, …, s_M, y) of M hidden bits and the label, as arrays (2, …, 2, C).

xor      y = s_1 ⊕ … ⊕ s_M, bits fair and independent     all of it is synergy
and      y = s_1 ∧ … ∧ s_M, bits fair and independent     redundancy and synergy
copy     y = s_1 = … = s_M, y fair                        all of it is redundant
unique   y = s_1, bits fair and independent               all of it is unique to the first
sum      y = s_1 + … + s_M, bits fair and independent     M + 1 classes
gaussian the bits of copy, each seen through noise that is not small (`benchmark`)
mixture  with probability `dial` a sample of xor, else one of copy
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

RULES: dict[str, Callable[[tuple[int, ...]], int]] = {
    "xor": lambda bits: sum(bits) % 2,
    "and": lambda bits: int(all(bits)),
    "unique": lambda bits: bits[0],
    "sum": lambda bits: sum(bits),
}
LAWS = (*RULES, "copy", "gaussian", "mixture")


def joint(law: str, modalities: int, dial: float = 0.5) -> np.ndarray:
    """p(s_1, …, s_M, y), shape (2,)*M + (C,); `dial` ∈ [0, 1] counts for the mixture alone."""
    if law == "mixture":
        return dial * joint("xor", modalities) + (1 - dial) * joint("copy", modalities)
    table = np.zeros((2,) * modalities + (modalities + 1 if law == "sum" else 2,))
    if law in ("copy", "gaussian"):
        for y in (0, 1):
            table[(y,) * (modalities + 1)] = 0.5
    else:
        for bits in itertools.product((0, 1), repeat=modalities):
            table[(*bits, RULES[law](bits))] = 0.5**modalities
    return table
