"""Some samples of a source, in the split that they have in a run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from crossfade.data.source import Bound, Frame, Source


class Chosen:
    """`Source` of the samples `rows` of another; `split` (n,) says in which split each of them is."""

    def __init__(self, source: Source, rows: np.ndarray, split: Sequence[str]) -> None:
        self.source, self.rows, self.split = source, rows, list(split)

    def frame(self) -> Frame:
        """The other's frame, without the samples that are not chosen."""
        whole = self.source.frame()

        def of(column: Sequence[Any]) -> list[Any]:
            return [column[i] for i in self.rows]

        truth: dict[str, Sequence[Any]] = {name: of(column) for name, column in whole.truth.items()}
        return Frame(of(whole.ids), of(whole.groups), whole.present[self.rows], truth, split=self.split)

    def read(self, index: int, without: Collection[str] = ()) -> dict[str, Any]:
        """The values of the chosen sample number `index`."""
        return self.source.read(int(self.rows[index]), without)

    def bayes(self, target: str, modalities: Sequence[str]) -> Bound | None:
        """The other's bound."""
        return self.source.bayes(target, modalities)

    def fingerprint(self) -> str:
        """The other's."""
        return self.source.fingerprint()
