"""Raw truths as a target reads them: values, or functions that read them from files one at a time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from crossfade.errors import ReadError

log = logging.getLogger("crossfade")


class Truths(Sequence[Any]):
    """The truths of `rows`, in that order; None where unknown, or where the row is not among the `used`.

    A mask or an image is read when it is asked for, so that not all are held at their full size. One that cannot be
    read raises its ReadError, or, where `data.on_error` is not "error", counts as unknown and is warned of.
    """

    def __init__(self, truth: Sequence[Any], rows: np.ndarray, used: np.ndarray, on_error: str) -> None:
        self.truth, self.rows, self.used, self.on_error = truth, rows.tolist(), set(used.tolist()), on_error

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, i: int) -> Any: ...
    @overload
    def __getitem__(self, i: slice) -> list[Any]: ...
    def __getitem__(self, i: int | slice) -> Any:
        if isinstance(i, slice):
            return [self._read(row) for row in self.rows[i]]
        return self._read(self.rows[i])

    def _read(self, row: int) -> Any:
        value = self.truth[row] if row in self.used else None
        if not callable(value):
            return value
        try:
            return value()
        except ReadError as fault:
            if self.on_error == "error":
                raise
            log.warning("A truth could not be read and counts as unknown: %s", fault)
            return None
