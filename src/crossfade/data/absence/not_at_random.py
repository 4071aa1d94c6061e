"""Missing not at random: absence that itself tells something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from crossfade.data.absence.base import NOT_ALL, Absence, one_stays
from crossfade.data.absence.rate import rates


class NotAtRandom(Absence):
    """A modality is hidden the likelier, the higher the truth or its own value (MNAR; Rubin 1976, Biometrika 63(3)).

        P(hidden_im) = σ(a_m + strength·s_i),   a_m such that the mean over the samples is the modality's rate

    s is the standardised truth of the first target (`by: label`; classes have normal quantiles in an order of the
    seed's) or the standardised mean of the modality's values (`by: value`; of a text its length). Unknown: s = 0.
    """

    def __init__(
        self,
        modalities: tuple[str, ...],
        rate: float | Mapping[str, float] = 0.3,
        by: str = "label",
        strength: float = 2.0,
        splits: Sequence[str] = NOT_ALL,
    ) -> None:
        super().__init__(modalities, splits)
        self.rate, self.by, self.strength = rates(rate, modalities), by, strength

    def keep(self, present: np.ndarray, scores: Callable[[str], np.ndarray], rng: np.random.Generator) -> np.ndarray:
        kept = np.ones_like(present)
        for column, name in enumerate(self.modalities):
            score = np.nan_to_num(scores("label" if self.by == "label" else name))
            kept[:, column] = rng.random(len(score)) >= hidden_with(self.rate[column], self.strength * score)
        return one_stays(present, kept, rng)


def hidden_with(rate: float, logit: np.ndarray) -> np.ndarray:
    """σ(a + logit), (n,), with the mean `rate`."""
    if rate <= 0:
        return np.zeros_like(logit)
    reach = 40 + np.abs(logit).max()
    return expit(logit + brentq(lambda a: expit(logit + a).mean() - rate, -reach, reach))
