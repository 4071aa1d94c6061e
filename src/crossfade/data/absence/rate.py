"""Missing completely at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from crossfade.data.absence.base import NOT_ALL, Absence, one_stays


class AtRate(Absence):
    """Each modality is hidden with its rate, independently of the others, of its value and of the truth (MCAR).

    `rate`: one for all, or {modality: rate}; a modality that is not named is never hidden.
    """

    def __init__(
        self, modalities: tuple[str, ...], rate: float | Mapping[str, float] = 0.3, splits: Sequence[str] = NOT_ALL
    ) -> None:
        super().__init__(modalities, splits)
        self.rate = rates(rate, modalities)

    def keep(self, present: np.ndarray, scores: Callable[[str], np.ndarray], rng: np.random.Generator) -> np.ndarray:
        return one_stays(present, rng.random(present.shape) >= self.rate, rng)


def rates(rate: float | Mapping[str, float], modalities: tuple[str, ...]) -> np.ndarray:
    """One rate a modality, (M,)."""
    if isinstance(rate, Mapping):
        return np.array([rate.get(name, 0.0) for name in modalities])
    return np.full(len(modalities), rate)
