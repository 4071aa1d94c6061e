"""Scores of a forecast: prediction (N, T, Q + 1), quantiles of the load in kW, then P(somebody is at home)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_auroc
from torchmetrics.utilities import dim_zero_cat

from crossfade.targets.forecast_truth import unpack
from crossfade.targets.heating import Rules, plan


def pinball(quantiles: Tensor, load: Tensor, levels: Tensor) -> Tensor:
    """ρ_q(y − ŷ_q) = max(q·(y − ŷ_q), (q − 1)·(y − ŷ_q)), averaged over the levels (Q,): (N, T, Q), (N, T) → (N, T).

    Koenker & Bassett 1978, doi:10.2307/1913643.
    """
    short = load.unsqueeze(-1) - quantiles
    return torch.maximum(levels * short, (levels - 1) * short).mean(-1)


def absolute_error(quantiles: Tensor, load: Tensor, levels: Tensor) -> Tensor:
    """|y − median|: (N, T). Hourly means in kW are kWh."""
    return (load - quantiles[..., int((levels == 0.5).nonzero())]).abs()


def covered(quantiles: Tensor, load: Tensor, levels: Tensor) -> Tensor:
    """1 where the load lies between the outermost quantiles: (N, T); NaN where it is not known."""
    inside = (load >= quantiles[..., 0]) & (load <= quantiles[..., -1])
    return inside.float().masked_fill(load.isnan(), float("nan"))


class DayMean(Metric):
    """Mean over the samples of the mean over their known hours of one of the functions above."""

    total: Tensor
    samples: Tensor

    def __init__(self, of: Any, levels: Sequence[float], hours: int, **fields: Any) -> None:
        super().__init__(**fields)
        self.of, self.levels, self.hours = of, torch.tensor(levels), hours
        self.add_state("total", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("samples", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def each(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """The mean of each sample's known hours (N,); NaN where there are none."""
        levels = self.levels.to(prediction.device)
        quantiles, load = prediction[..., : len(levels)], unpack(truth, self.hours).load
        return self.of(quantiles, load, levels).nanmean(-1)

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        each = self.each(prediction, truth)
        self.total = self.total + each.double().nansum()
        self.samples = self.samples + (~each.isnan()).sum()

    def compute(self) -> Tensor:
        return (self.total / self.samples).float()


class OccupancyScore(Metric):
    """A number from the probability that somebody is at home and all of the truth."""

    probability: list[Tensor]
    truth: list[Tensor]

    def __init__(self, hours: int, **fields: Any) -> None:
        super().__init__(**fields)
        self.hours = hours
        self.add_state("probability", default=[], dist_reduce_fx="cat")
        self.add_state("truth", default=[], dist_reduce_fx="cat")

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        self.probability.append(prediction[..., -1])
        self.truth.append(truth)

    def of(self, probability: Tensor, truth: Tensor) -> Tensor:
        raise NotImplementedError

    def compute(self) -> Tensor:
        return self.of(dim_zero_cat(self.probability), dim_zero_cat(self.truth))


class OccupancyAUROC(OccupancyScore):
    """AUROC of "somebody is at home for half of the hour or more", over all known hours; NaN where all are alike."""

    def of(self, probability: Tensor, truth: Tensor) -> Tensor:
        occupied = unpack(truth, self.hours).occupied
        known = ~occupied.isnan()
        home = (occupied[known] >= 0.5).long()
        if not 0 < home.sum() < len(home):
            return probability.new_tensor(float("nan"))
        return binary_auroc(probability[known], home, validate_args=False)


class HeatingScore(OccupancyScore):
    """Share of heat that the schedule saves against the thermostat, or its K·h a day of discomfort more.

    1 − Σ used / Σ usual over the samples whose house is known (`heating.plan`); NaN where nothing was to be heated.
    """

    def __init__(self, hours: int, rules: Rules, what: str, **fields: Any) -> None:
        super().__init__(hours, **fields)
        self.rules, self.what = rules, what

    def of(self, probability: Tensor, truth: Tensor) -> Tensor:
        day = unpack(truth, self.hours)
        there = day.heated
        if not there.any():
            return probability.new_tensor(float("nan"))
        house = type(day.house)(*(x[there] for x in day.house))
        made = plan(probability[there], day.occupied[there], house, self.rules)
        if self.what == "discomfort":
            return made.discomfort.mean().float()
        usual = made.usual.sum()
        return torch.where(usual > 0, 1 - made.used.sum() / usual, float("nan")).float()
