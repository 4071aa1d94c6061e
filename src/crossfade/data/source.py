"""The contract between where samples come from and everything after: `Source` and `Bound`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Bound:
    """Best accuracy that any model can reach: a value and its interval (equal ends where it is exact)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Frame:
    """All that is known of the samples without reading one input; row i of every column is sample i.

    `split` is "train" | "val" | "test" per sample, `fold` an int per sample (−1: in no fold); either may be None.
    `present` is bool (N, M), columns in the order of the source's modalities. `truth[target][i]` is the raw truth
    that the target's class describes, a function without arguments that reads it (ReadError where it cannot), or None
    where it is not known.
    """

    ids: Sequence[str]
    groups: Sequence[str]
    present: np.ndarray
    truth: dict[str, Sequence[Any]]
    split: Sequence[str] | None = None
    fold: Sequence[int] | None = None


class Source(Protocol):
    """Where samples come from. Built from the config's `data.source` as

        Target(modalities: dict[str, ModalitySpec], targets: dict[str, TargetSpec], seed: int, **yaml fields)

    where `modalities` and `targets` hold only those that the run uses. Deterministic; cheap to build.
    """

    def frame(self) -> Frame:
        """The samples' ids, groups, presence, truth, and split or fold where the source defines one."""
        ...

    def read(self, index: int, without: Collection[str] = ()) -> dict[str, Any]:
        """Raw values of the modalities that sample `index` has (see `specs.ModalitySpec`), others left out.

        `without` names modalities not to read. Raises ReadError naming the sample, the file and the fault when a
        value cannot be read.
        """
        ...

    def bayes(self, target: str, modalities: Sequence[str]) -> Bound | None:
        """Bayes-optimal accuracy of `target` from these modalities alone; None where nobody knows it."""
        ...

    def fingerprint(self) -> str:
        """Hash of all that determines the samples: a cache key, and recorded in the run folder."""
        ...
