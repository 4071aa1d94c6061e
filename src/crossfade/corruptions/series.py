"""Series (T, C), NaN = missing entry: noise, sensor bias, drop-out, time shift."""

from __future__ import annotations

import numpy as np

from crossfade.corruptions.base import Corruption
from crossfade.data.scale import Scale


class Noise(Corruption):
    """x + amount·sd_c·n, n ~ N(0, 1), at each step."""

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        return x + amount * scale.sd.numpy() * rng.standard_normal(x.shape, dtype=np.float32)


class Bias(Corruption):
    """x ± amount·sd_c at all steps, the sign drawn per channel: sensors that are calibrated wrongly."""

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        sign = np.where(rng.random(x.shape[1]) < 0.5, -1.0, 1.0).astype(np.float32)
        return x + np.float32(amount) * sign * scale.sd.numpy()


class Dropout(Corruption):
    """Each step is missing in all channels with probability `amount`: a link that fails."""

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        return np.where(rng.random(len(x))[:, None] < amount, np.float32(np.nan), x)


class Shift(Corruption):
    """x_t ← x_{t−d}, d = ⌈amount·T⌉, the first d steps missing: a clock that is wrong, a message that comes late."""

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        late = min(len(x), int(np.ceil(amount * len(x))))
        return np.concatenate([np.full_like(x[:late], np.nan), x[: len(x) - late]])
