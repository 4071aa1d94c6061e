"""The contract of a protocol, and the one that hides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

NOT_ALL = ("train", "val")


class Absence:
    """Hides modalities of whole splits, once, before training; a sample keeps one at least of those that it has.

    A subclass is built as `Protocol(modalities: tuple[str, ...], **yaml fields)`, the modalities sorted by name, and
    gives `keep`. What the training split teaches (vocabularies, means) is learned before anything is hidden.
    """

    def __init__(self, modalities: tuple[str, ...], splits: Sequence[str] = NOT_ALL) -> None:
        self.modalities, self.splits = modalities, tuple(splits)

    def keep(self, present: np.ndarray, scores: Callable[[str], np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """What stays of present, bool (n, M). `scores("label")` is (n,), `scores(modality)` (n,): standardised numbers
        that say which samples have high truths, or high values of a modality; NaN where there are none.
        """
        raise NotImplementedError


class NoAbsence(Absence):
    """What the source has."""

    def __init__(self, modalities: tuple[str, ...]) -> None:
        super().__init__(modalities, ())


def one_stays(present: np.ndarray, kept: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`kept`, bool (n, M), but where it leaves a sample with nothing: one that was present, each as likely."""
    draw = np.where(present, rng.random(present.shape), -1.0)
    rescued = (draw == draw.max(1, keepdims=True)) & present
    return np.where((kept & present).any(1, keepdims=True), kept & present, rescued)
