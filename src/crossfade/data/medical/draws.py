"""Random numbers that belong to one patient: the same whatever the number, order or batch of patients.

Stream `s` of patient `i` is np.random.Generator(SeedSequence([seed, i], spawn_key=(s,))). The state,
the anatomy and each modality's noise have streams of their own (`STREAMS`), so that leaving a modality out
changes nothing in the others.
"""

from __future__ import annotations

import numpy as np

BLOCK = 64  # patients rendered at once; blocks are always whole, so that patient i always has the same company

STREAMS = {"state": 0, "anatomy": 1, "ct": 2, "mri": 3, "ultrasound": 4, "note": 5, "vitals": 6}


def generators(seed: int, indices: np.ndarray, stream: str) -> list[np.random.Generator]:
    """One generator per patient for this stream."""
    key = (STREAMS[stream],)
    return [np.random.default_rng(np.random.SeedSequence([seed, int(i)], spawn_key=key)) for i in indices]


class Uniforms:
    """Uniform numbers of a batch of patients, taken one column at a time. The order of the takes is the format."""

    def __init__(self, rngs: list[np.random.Generator], count: int) -> None:
        self._values = np.stack([rng.random(count) for rng in rngs])
        self._next = 0

    def take(self) -> np.ndarray:
        """Uniform on [0, 1), shape (B,)."""
        column = self._values[:, self._next]
        self._next += 1
        return column

    def between(self, low: float, high: float) -> np.ndarray:
        """Uniform on [low, high), shape (B,)."""
        return low + (high - low) * self.take()


def choose(probability: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Inverse-CDF draw: `probability` (B, E) or (E,), `uniform` (B,) → index (B,)."""
    cumulative = np.cumsum(probability, axis=-1)[..., :-1]
    return (uniform[:, None] >= cumulative).sum(axis=-1)


def normals(rngs: list[np.random.Generator], shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal noise, float32 (B, *shape)."""
    return np.stack([rng.standard_normal(shape, dtype=np.float32) for rng in rngs])
