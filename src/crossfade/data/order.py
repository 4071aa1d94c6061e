"""The order of the samples: a function of seed and epoch alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from crossfade.seeding import derived


class Order(Sampler[list[int]]):
    """Batches of sample numbers, shuffled anew each epoch when `shuffle`.

    The permutation depends on (seed, epoch) alone, so a resumed run sees what an uninterrupted one would. With
    several ranks each takes every world-th sample of the same global batch, so the global batches, and with them
    the gradients, are those of one process. A shuffled order drops the last, smaller batch if there is another.
    """

    def __init__(
        self, rows: np.ndarray, batch_size: int, shuffle: bool, seed: int, rank: int = 0, world: int = 1
    ) -> None:
        self.rows, self.batch_size, self.shuffle, self.seed = rows, batch_size, shuffle, seed
        self.rank, self.world = rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        whole = len(self.rows) / self.batch_size
        return max(1, math.floor(whole)) if self.shuffle else math.ceil(whole)

    def __iter__(self) -> Iterator[list[int]]:
        rows = self.rows
        if self.shuffle:
            rows = np.random.default_rng(derived(self.seed, "order", self.epoch)).permutation(rows)
        for batch in range(len(self)):
            chosen = rows[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield chosen[self.rank :: self.world].tolist()
