"""Point clouds (N, F), a row of NaN = no point: points lost, places blurred."""

from __future__ import annotations

import numpy as np

from crossfade.corruptions.base import Corruption
from crossfade.data.scale import Scale


class Dropout(Corruption):
    """Each point is lost with probability `amount`: rain, dark surfaces, a weaker laser.

    As "drop global" of Ren, Pan & Liu 2022 (arXiv:2202.03377), there of a fixed number.
    """

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        return np.where(rng.random(len(x))[:, None] < amount, np.float32(np.nan), x)


class Noise(Corruption):
    """(x, y, z) + amount·n metres, n ~ N(0, 1): an error of range and angle; further columns stay."""

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        moved = x.copy()
        moved[:, :3] += np.float32(amount) * rng.standard_normal((len(x), 3), dtype=np.float32)
        return moved
