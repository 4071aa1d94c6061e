"""Which epoch of a run was its best, and when it stops early: by the rules of Lightning's two callbacks."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Watch:
    """Of one run. `value` is the monitored metric after each epoch; NaN counts as the worst there is.

    The first epoch is kept, then each that is better than the kept one. The run stops after `patience` epochs in a
    row without a better one, or where the metric is not finite (only if it stops early at all).
    """

    mode: str  # "max" | "min"
    patience: int | None
    kept: float | None = None  # of the best epoch
    best: float = math.nan  # of early stopping: starts at the worst
    waited: int = 0
    why: str | None = None

    def __post_init__(self) -> None:
        if math.isnan(self.best):
            self.best = self.worst

    @property
    def worst(self) -> float:
        return -math.inf if self.mode == "max" else math.inf

    def _better(self, value: float, than: float) -> bool:
        return value > than if self.mode == "max" else value < than

    def epoch_ended(self, value: float) -> tuple[bool, bool]:
        """Is this epoch the best so far, and is it the last?"""
        stop = self.patience is not None and self._stops(value)
        best = self.kept is None or self._better(value, self.kept)
        if best:
            self.kept = self.worst if math.isnan(value) else value
        return best, stop

    def _stops(self, value: float) -> bool:
        if not math.isfinite(value):
            self.why = f"the monitored metric is {value}"
            return True
        if self._better(value, self.best):
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        if self.waited >= (self.patience or 0):
            self.why = f"no better epoch in the last {self.waited}"
            return True
        return False
