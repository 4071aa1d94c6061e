"""One seed for each thing that draws, so that adding one does not change what another draws."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

import torch


def derived(seed: int, *names: object) -> int:
    """A 63-bit seed for this purpose: hash of the run's seed and the names."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextlib.contextmanager
def seeded(seed: int, *names: object) -> Iterator[None]:
    """Draw from torch's CPU generator as `derived(seed, *names)` has it, then leave it as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived(seed, *names))
        yield
