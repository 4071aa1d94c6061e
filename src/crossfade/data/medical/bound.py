"""The best accuracy that any model can reach on the built-in patients, by enumeration.

Given the diagnosis c, the evidences e_m of the modalities are independent, and what is rendered depends on c
only through them: c → e → x. By the data-processing inequality no classifier of the rendered x beats the
Bayes classifier of e, so its accuracy bounds from above the accuracy on the rendered data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from crossfade.data.synthetic.presence import presence_patterns


def accuracy(prior: np.ndarray, tables: Sequence[np.ndarray]) -> float:
    """Σ_e max_c p(c) Π_m p(e_m | c), exactly, over all joint evidences e.

    `prior` (C,), each of `tables` (C, E_m). With no table: max_c p(c), the chance level.
    """
    joint = prior[:, None]
    for table in tables:
        joint = (joint[:, :, None] * table[:, None, :]).reshape(len(prior), -1)
    return float(joint.max(axis=0).sum())


def accuracy_with_missing(
    prior: np.ndarray, tables: Mapping[str, np.ndarray], missing: Mapping[str, float], seen: Sequence[str]
) -> float:
    """Σ_r p(r) · accuracy(tables of the modalities in `seen` that r holds).

    Missingness says nothing of the diagnosis, so the bound is the mean over the presence patterns r of all
    modalities in `missing`. A sample with none of `seen` counts with the chance level.
    """
    names = list(missing)
    known: dict[tuple[str, ...], float] = {}
    total = 0.0
    for pattern, probability in zip(*presence_patterns([missing[n] for n in names]), strict=True):
        if probability == 0:
            continue
        here = tuple(n for n, there in zip(names, pattern, strict=True) if there and n in seen)
        if here not in known:
            known[here] = accuracy(prior, [tables[n] for n in here])
        total += float(probability) * known[here]
    return total
