"""Loggers: CSV always, W&B and TensorBoard on request; none of them can end a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytorch_lightning.loggers import Logger

from crossfade.runs import RunFolder
from crossfade.tracking.csv import CsvLogger
from crossfade.tracking.safe import SafeLogger

__all__ = ["CsvLogger", "SafeLogger", "make_loggers"]


def make_loggers(
    parts: Mapping[str, Mapping[str, Any]], build: Callable[..., Logger], folder: RunFolder, config: dict[str, Any]
) -> list[Logger]:
    """metrics.csv, and one logger per part of the config's `logger` node; `build` makes the parts."""
    made = {"csv": CsvLogger(folder.metrics_file)} | {
        name: build(part, folder=folder, config=config) for name, part in parts.items()
    }
    return [SafeLogger(name, logger) for name, logger in made.items()]
