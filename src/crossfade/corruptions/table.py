"""Tables (F,), NaN = missing entry: noise, missing cells, mistaken cells."""

from __future__ import annotations

import numpy as np

from crossfade.corruptions.base import Corruption
from crossfade.data.scale import Scale


class Noise(Corruption):
    """x_f + amount·sd_f·n, n ~ N(0, 1), of the numbers: measured poorly."""

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        return x + amount * scale.sd.numpy() * rng.standard_normal(x.shape, dtype=np.float32)


class Missing(Corruption):
    """Each cell is missing with probability `amount`: not measured, not written down."""

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        return np.where(rng.random(len(x)) < amount, np.float32(np.nan), x)


class Mistaken(Corruption):
    """Each cell is wrong with probability `amount`: a number that is typed at random, or another category.

    A number becomes mean_f + 2·sd_f·n, n ~ N(0, 1); a category any of those of its column.
    """

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        wrong = rng.random(len(x)) < amount
        number = scale.mean.numpy() + 2 * scale.sd.numpy() * rng.standard_normal(len(x), dtype=np.float32)
        cardinality = np.array(scale.cardinality)
        category = np.floor(rng.random(len(x)) * cardinality)
        other = np.where(cardinality > 0, category, number).astype(np.float32)
        return np.where(wrong & ~np.isnan(x), other, x)
