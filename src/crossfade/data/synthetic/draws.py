"""Random numbers that belong to one sample: the same whatever the number, order or batch of samples."""

from __future__ import annotations

import numpy as np


def generators(seed: int, indices: np.ndarray, stream: int) -> list[np.random.Generator]:
    """One generator per sample for this stream: np.random.Generator(SeedSequence([seed, i], spawn_key=(stream,))).

    `indices` is (B,), or (B, k) where a sample is known by several numbers (drive, frame). Streams are independent
    of each other, so that a modality that has one of its own can be left out without a change in the others.
    """
    return [
        np.random.default_rng(np.random.SeedSequence([seed, *map(int, np.atleast_1d(i))], spawn_key=(stream,)))
        for i in indices
    ]


class Uniforms:
    """Uniform numbers of a batch of samples, taken one column at a time. The order of the takes is the format."""

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
