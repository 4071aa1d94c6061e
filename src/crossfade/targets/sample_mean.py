"""The mean over the samples of what is measured sample by sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class SampleMean(Metric):
    """1/|S| · Σ_{i in S} measure(prediction, truth)_i, S the samples where it is not NaN; NaN where none is left.

    `measure` takes the predictions and truths of N samples and gives N numbers.
    """

    values: list[Tensor]

    def __init__(self, measure: Callable[[Tensor, Tensor], Tensor], **fields: Any) -> None:
        super().__init__(**fields)
        self.measure = measure
        self.add_state("values", default=[], dist_reduce_fx="cat")

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        self.values.append(self.measure(prediction, truth))

    def compute(self) -> Tensor:
        return dim_zero_cat(self.values).nanmean()
