"""Texts, before they are cut into word pieces: typing errors, lost words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from crossfade.corruptions.base import Corruption

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Typos(Corruption):
    """Each word has one typing error with probability `amount`: letters swapped, left out, typed twice or wrong.

    After the synthetic noise of Belinkov & Bisk 2018 (arXiv:1711.02173); each error is as likely, at any place.
    """

    raw = True

    def apply(self, x: str, amount: float, rng: np.random.Generator, scale: Any) -> str:
        return _by_word(x, rng, lambda word, draw: _mistyped(word, draw[1:]) if draw[0] < amount else word)


class WordDrop(Corruption):
    """Each word is lost with probability `amount`; one at least stays: a poor transcript, a bad line."""

    raw = True

    def apply(self, x: str, amount: float, rng: np.random.Generator, scale: Any) -> str:
        draws = rng.random(len(x.split()))
        kept = [word for word, draw in zip(x.split(), draws, strict=True) if draw >= amount]
        return " ".join(kept or x.split()[:1])


def _by_word(text: str, rng: np.random.Generator, change: Callable[[str, np.ndarray], str]) -> str:
    """Every word, with four draws of its own: what happens to one does not shift the draws of the next."""
    words = text.split()
    return " ".join(change(word, draw) for word, draw in zip(words, rng.random((len(words), 4)), strict=True))


def _mistyped(word: str, draw: np.ndarray) -> str:
    at = int(draw[1] * len(word))
    letter = LETTERS[int(draw[2] * len(LETTERS))]
    if len(word) == 1:
        return letter
    swapped = min(at, len(word) - 2)
    return (
        word[:swapped] + word[swapped + 1] + word[swapped] + word[swapped + 2 :],
        word[:at] + word[at + 1 :],
        word[: at + 1] + word[at:],
        word[:at] + letter + word[at + 1 :],
    )[int(draw[0] * 4)]
