"""Waveforms (T,): noise, clipping, gaps. What follows the last sample that is not 0 is padding, and stays."""

from __future__ import annotations

import numpy as np

from crossfade.corruptions.base import Corruption
from crossfade.data.scale import Scale


class Noise(Corruption):
    """x + amount·sd·n, n ~ N(0, 1): white noise, of −20·log₁₀(amount) dB under the training split's sound."""

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        noise = amount * float(scale.sd) * rng.standard_normal(x.shape, dtype=np.float32)
        return np.where(np.arange(len(x)) < _end(x), x + noise, x)


class Clipping(Corruption):
    """clip(x, −amount·sd, amount·sd): an amplifier driven too hard."""

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        most = np.float32(amount * float(scale.sd))
        return np.clip(x, -most, most)


class Gaps(Corruption):
    """Of `PACKETS` equal stretches of the sound each is silent with probability `amount`: packets lost on the way."""

    PACKETS = 50

    def apply(self, x: np.ndarray, amount: float, rng: np.random.Generator, scale: Scale) -> np.ndarray:
        lost = rng.random(self.PACKETS) < amount
        packet = np.arange(len(x)) * self.PACKETS // max(1, _end(x))
        return np.where(np.append(lost, False)[np.minimum(packet, self.PACKETS)], np.float32(0), x)


def _end(x: np.ndarray) -> int:
    """Samples up to the last one that is not 0."""
    sounding = np.flatnonzero(x)
    return int(sounding[-1]) + 1 if len(sounding) else 0
