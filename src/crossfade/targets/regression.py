"""One or several numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss
from torchmetrics import MeanAbsoluteError, MeanSquaredError, MetricCollection

from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets.base import Target, full, linear_head
from crossfade.targets.scores import R2


class Regression(Target):
    """A raw truth is a float, or a list of them (one per column). ŷ = sd·(W·LN(r) + b) + mean, in the target's unit;
    Huber loss on the standardised value (δ = 1).

    Mean and sd are those of the training split. Huber 1964, doi:10.1214/aoms/1177703732.
    """

    main = "mae"
    lower_is_better = ("mae", "rmse")
    form = "numbers"
    mean: Tensor
    sd: Tensor

    @classmethod
    def unit(cls, metric: str, spec: TargetSpec) -> str:
        return spec.unit or "" if metric in cls.lower_is_better else ""

    def __init__(self, spec: TargetSpec, fitted: dict[str, Any], width: int) -> None:
        super().__init__(spec, fitted)
        self.head = linear_head(width, len(fitted["mean"]))
        self.register_buffer("mean", torch.tensor(fitted["mean"]), persistent=False)
        self.register_buffer("sd", torch.tensor(fitted["sd"]), persistent=False)

    @staticmethod
    def fit(spec: TargetSpec, truths: Sequence[Any]) -> dict[str, Any]:
        rows = np.array([np.atleast_1d(t) for t in truths if t is not None], dtype=np.float64)
        if len(rows) < 2:
            raise UserError(f"target.{spec.name}: fewer than two known values in the training split. Check its column.")
        sd = rows.std(0)
        if not sd.any():
            raise UserError(
                f"target.{spec.name}: all {len(rows)} known values of the training split are {rows[0].tolist()}; "
                "nothing can be learned. Check its column and the split."
            )
        return {"mean": rows.mean(0).tolist(), "sd": np.where(sd > 0, sd, 1.0).tolist()}

    @staticmethod
    def encode(spec: TargetSpec, fitted: dict[str, Any], truths: Sequence[Any]) -> Tensor:
        unknown = [float("nan")] * len(fitted["mean"])
        return torch.tensor([unknown if t is None else np.atleast_1d(t).tolist() for t in truths], dtype=torch.float32)

    def mix(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """Σ_g w_g·o_g."""
        return (outputs * weight.unsqueeze(-1)).sum(1)

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        known = ~truth.isnan()
        wanted = (truth.nan_to_num(0.0) - self.mean) / self.sd
        each = smooth_l1_loss(full(output), wanted, reduction="none")
        return (each * known).sum() / known.sum().clamp(min=1)

    def prediction(self, output: Tensor) -> Tensor:
        return output.float() * self.sd + self.mean

    def known(self, truth: Tensor) -> Tensor:
        """Of several numbers all: a metric over some of them would mix samples of different numbers."""
        return ~truth.isnan().any(-1)

    def metrics(self) -> MetricCollection:
        return MetricCollection({"mae": MeanAbsoluteError(), "rmse": MeanSquaredError(squared=False), "r2": R2()})

    def per_sample(self, prediction: Tensor, truth: Tensor) -> Tensor:
        return (prediction - truth).abs().mean(-1)

    def explained(self, prediction: Tensor) -> tuple[Tensor, list[str]]:
        """Of several numbers the one that is farthest from the training split's mean, in its standard deviations."""
        chosen = ((prediction - self.mean).abs() / self.sd).argmax(1)
        column = self.spec.column
        names = column if isinstance(column, list) else [self.spec.name] * len(self.mean)
        return chosen, [names[i] for i in chosen.tolist()]

    def chance(self, truth: Tensor) -> Tensor:
        """The training split's mean, for every sample."""
        return self.mean.expand(len(truth), -1)

    def columns(self, prediction: np.ndarray, truth: np.ndarray | None) -> pd.DataFrame:
        name, many = self.spec.name, prediction.shape[1] > 1
        column = self.spec.column
        parts = column if isinstance(column, list) else [str(i) for i in range(prediction.shape[1])]
        table = {}
        for i, part in enumerate(parts):
            suffix = f"[{part}]" if many else ""
            if truth is not None:
                table[f"{name}.truth{suffix}"] = truth[:, i]
            table[f"{name}.predicted{suffix}"] = prediction[:, i]
        return pd.DataFrame(table)
