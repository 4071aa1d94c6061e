"""What a model reaches under one perturbation after another, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

CLEAN, CHANCE, ABSENT = "clean", "chance", "absent"


@dataclass(frozen=True)
class Measured:
    """One target's metrics, and the 95 % interval of the main one over groups, where it can be had quickly."""

    metrics: dict[str, float]
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Level:
    """What every target reaches under one perturbation: of which modality, by what, how much (severity, or ε)."""

    modality: str
    by: str
    amount: float
    measured: dict[str, Measured]


def levels_table(levels: Sequence[Level], target: str, main: str, by: str, amount: str) -> pd.DataFrame:
    """A row per level and metric: modality, `by`, `amount`, metric, value; of the main metric low and high too."""
    rows = []
    for level in levels:
        measured = level.measured[target]
        for metric, value in measured.metrics.items():
            low, high = (measured.interval if metric == main else None) or (np.nan, np.nan)
            rows.append((level.modality, level.by, level.amount, metric, value, low, high))
    return pd.DataFrame(rows, columns=["modality", by, amount, "metric", "value", "low", "high"])


def kept(value: np.ndarray | float, clean: float, chance: float, better: str) -> float:
    """(value − chance) / (clean − chance), its mean: the share that is left of what the model is worth above chance.

    1 is unharmed, 0 is chance, below 0 is worse. `better` is "max" or "min", of the metric. NaN where the clean model
    is no better than chance by 1e−6: there is nothing that could be kept.
    """
    gap = clean - chance
    worth = gap if better == "max" else -gap
    return float(np.mean(value - chance)) / gap if worth > 1e-6 else float("nan")
