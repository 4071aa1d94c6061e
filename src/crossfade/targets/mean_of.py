"""A metric that is a mean: of samples, of agents, of whatever has a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection


class MeanOf(Metric):
    """Mean of each named column of `of(prediction, truth)` (…, C) over all rows that are not NaN; NaN where all are."""

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, of: Callable[[Tensor, Tensor], Tensor], columns: Mapping[str, int]) -> None:
        super().__init__()
        self.of, self.columns = of, dict(columns)
        zeros = torch.zeros(len(columns), dtype=torch.float64)
        self.add_state("total", zeros, dist_reduce_fx="sum")
        self.add_state("count", zeros.clone(), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        values = self.of(prediction, truth)[..., list(self.columns.values())].flatten(0, -2)
        self.total += values.double().nansum(0)
        self.count += (~values.isnan()).sum(0)

    def compute(self) -> dict[str, Tensor]:
        return dict(zip(self.columns, (self.total / self.count).float(), strict=True))


class MainMeanOf(MeanOf):
    """The mean of one column alone, as a number: the collection's entry for the main metric."""

    def __init__(self, of: Callable[[Tensor, Tensor], Tensor], column: int) -> None:
        super().__init__(of, {"": column})

    def compute(self) -> Tensor:  # type: ignore[override]
        return super().compute()[""]


class Remembered:
    """A function of two tensors that is not called anew for those that it was last called for."""

    def __init__(self, of: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.of = of
        self._last: tuple[Tensor, Tensor, Tensor] | None = None

    def __call__(self, prediction: Tensor, truth: Tensor) -> Tensor:
        if self._last is None or self._last[0] is not prediction or self._last[1] is not truth:
            self._last = (prediction, truth, self.of(prediction, truth))
        return self._last[2]


def means_of(of: Callable[[Tensor, Tensor], Tensor], names: Sequence[str]) -> MetricCollection:
    """The means of all columns of `of`, by name; the first is the main metric."""
    others = {name: i for i, name in enumerate(names) if i}
    once = Remembered(of)  # both ask for the same samples, and distances take their time
    return MetricCollection({names[0]: MainMeanOf(once, 0), "others": MeanOf(once, others)}, compute_groups=False)


def means_of_each(measures: Mapping[str, Callable[[Tensor, Tensor], Tensor]]) -> MetricCollection:
    """The means of measures(prediction, truth) → (N,), by name; the first is the main metric."""

    def of(prediction: Tensor, truth: Tensor) -> Tensor:
        return torch.stack([measure(prediction, truth).double() for measure in measures.values()], -1)

    return means_of(of, list(measures))
