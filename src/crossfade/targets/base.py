"""The contract of a target."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor, nn
from torchmetrics import MetricCollection

from crossfade.core.base import Representation
from crossfade.specs import TargetSpec

SHOWN = 5  # labels named in a message


def first_rows(labels: Iterable[tuple[int, str]], known: Container[str]) -> str:
    """'"x" (row 3), …' of the labels that are not known, each with the first row that holds it; '' for none."""
    rows: dict[str, int] = {}
    for i, label in labels:
        if label not in known:
            rows.setdefault(label, i + 1)
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return ", ".join(f"{label!r} (row {row})" for label, row in list(rows.items())[:SHOWN]) + more


def some(labels: Sequence[str]) -> str:
    """The first labels, and how many more there are."""
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return ", ".join(map(repr, labels[:SHOWN])) + more


class Target(nn.Module):
    """One named thing to predict: head, loss, metrics, and how truth and prediction are written.

    `fitted` (plain data, kept in the run folder) is what the static `fit` learned from the training split.
    """

    main: str  # the metric that a run is judged by
    higher_is_better: bool = True

    def __init__(self, spec: TargetSpec, fitted: dict[str, Any], width: int, outputs: int) -> None:
        super().__init__()
        self.spec, self.fitted = spec, fitted
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outputs))

    @staticmethod
    def fit(spec: TargetSpec, truths: Sequence[Any]) -> dict[str, Any]:
        """What must be known before a head can be built, from the training split's raw truths (None = unknown)."""
        raise NotImplementedError

    @staticmethod
    def encode(spec: TargetSpec, fitted: dict[str, Any], truths: Sequence[Any]) -> Tensor:
        """Raw truths → tensor (N, …); unknown is −1 (multiclass) or NaN. Raises UserError for an unknown label."""
        raise NotImplementedError

    @staticmethod
    def lacking(fitted: dict[str, Any], truth: Tensor) -> list[str]:
        """Classes that this encoded truth (N, …) of a split has no sample of: scores say nothing of them."""
        return []

    def forward(self, representation: Representation) -> Tensor:
        """(B, D) → raw outputs (B, C)."""
        return self.head(representation.pooled)

    def mix(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """One output (B, C) from the predictions of G branches (B, G, C), mixed with weight (B, G)."""
        raise NotImplementedError

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        """Mean loss over the samples whose truth is known; 0 where none is."""
        raise NotImplementedError

    def prediction(self, output: Tensor) -> Tensor:
        """Raw outputs → what metrics and files hold: probabilities, or values in the target's unit."""
        raise NotImplementedError

    def metrics(self) -> MetricCollection:
        """Metrics of `update(prediction, truth)`."""
        raise NotImplementedError

    def chance(self, truth: Tensor) -> Tensor:
        """The best prediction that looks at no input, as predictions for these N samples."""
        raise NotImplementedError

    def columns(self, prediction: np.ndarray, truth: np.ndarray | None) -> pd.DataFrame:
        """Predictions (and the truth, where given) as the named columns of a predictions file."""
        raise NotImplementedError
