"""A metric that is a mean: of samples, of agents, of whatever has a value."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric


class MeanOf(Metric):
    """Mean of one column of `of(prediction, truth)` (…, C) over all rows that are not NaN; NaN where all are."""

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, of: Callable[[Tensor, Tensor], Tensor], column: int) -> None:
        super().__init__()
        self.of, self.column = of, column
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        values = self.of(prediction, truth)[..., self.column]
        self.total += values.double().nansum()
        self.count += (~values.isnan()).sum()

    def compute(self) -> Tensor:
        return (self.total / self.count).float()
