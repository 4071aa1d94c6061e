"""metrics.csv: one row per epoch, kept over a resume (Lightning's own CSV logger deletes what stood there)."""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from crossfade.runs import write_text


class CsvLogger(Logger):
    """Columns epoch, step, then the metrics by name; whatever is logged at the same step stands in one row.

    The file is written whole after each epoch. On resume the rows from the resumed step on are dropped when that
    step is logged again.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.rows: dict[int, dict[str, Any]] = {}
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                rows = [{k: v for k, v in row.items() if v != ""} for row in csv.DictReader(file)]
            self.rows = {int(row["step"]): row for row in rows}

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The run folder holds the config; nothing to do."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        number = step or 0
        self.rows = {old: row for old, row in self.rows.items() if old <= number}
        row = self.rows.setdefault(number, {})
        row.update(metrics, step=number)
        row["epoch"] = int(row.get("epoch", 0))
        self._write()

    def _write(self) -> None:
        metrics = sorted({name for row in self.rows.values() for name in row} - {"epoch", "step"})
        text = io.StringIO()
        writer = csv.DictWriter(text, ["epoch", "step", *metrics], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows[step] for step in sorted(self.rows))
        write_text(self.path, text.getvalue())
