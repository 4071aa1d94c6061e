"""What a search compares its trials by: the validation split, never the test split."""

from __future__ import annotations

import csv
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

from crossfade.config import RunConfig
from crossfade.runs import RunFolder
from crossfade.sweeps.table import Outcome


@dataclass(frozen=True)
class Judge:
    """The monitored validation metric ("val/…") and which way it is better ("max" or "min")."""

    monitor: str
    direction: str

    @classmethod
    def of(cls, config: RunConfig) -> Judge:
        """By `callbacks.monitor`, as the checkpoint of a run is chosen."""
        from crossfade.training.keeping import main_metric

        return cls(*main_metric(config))

    def value(self, folder: Path) -> float | None:
        """The best of a finished run's epochs, or its mean over the folds; None where it was never defined."""
        folds = sorted(folder.glob("fold_*"))
        values = [self._best(place) for place in folds or [folder]]
        known = [value for value in values if value is not None]
        return statistics.fmean(known) if len(known) == len(values) else None

    def _best(self, folder: Path) -> float | None:
        path = RunFolder(folder).metrics_file
        if not path.is_file():
            return None
        with path.open(encoding="utf-8", newline="") as file:
            texts = [row.get(self.monitor) for row in csv.DictReader(file)]
        values = [value for text in texts if text and not math.isnan(value := float(text))]
        return (max if self.direction == "max" else min)(values, default=None)

    def outcome(self, folder: Path) -> Outcome:
        """For the table and the progress of the search."""
        return Outcome(folder, self.monitor, self.value(folder), higher_is_better=self.direction == "max")

    def ranked(self, values: dict[int, float]) -> list[int]:
        """The keys, the best value first."""
        return sorted(values, key=lambda key: -values[key] if self.direction == "max" else values[key])
