"""Structured absence: only some combinations of modalities occur."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crossfade.data.absence.base import NOT_ALL, Absence


class Structured(Absence):
    """Each sample has the modalities of one of the given patterns, each as likely, of those that leave it something.

    So it is where data come from several sites with different equipment. A sample to which no pattern leaves anything
    stays as it is.
    """

    def __init__(
        self,
        modalities: tuple[str, ...],
        patterns: Sequence[Sequence[str]] = (),
        splits: Sequence[str] = NOT_ALL,
    ) -> None:
        super().__init__(modalities, splits)
        self.patterns = np.array([[name in pattern for name in modalities] for pattern in patterns], dtype=bool)

    def keep(self, present: np.ndarray, scores: Callable[[str], np.ndarray], rng: np.random.Generator) -> np.ndarray:
        left = present[:, None] & self.patterns  # (n, P, M)
        draw = np.where(left.any(-1), rng.random(left.shape[:2]), -1.0)
        chosen = left[np.arange(len(left)), draw.argmax(1)]
        return np.where(chosen.any(1, keepdims=True), chosen, present)
