"""Scores of an alarm: score (N,), truth (N, 3) = intruder 0/1, episode, seconds since the onset (NaN without intruder).

The operating point is the highest threshold at which the asked share of the intruder's windows lies at or above it:
with n such windows, the ⌈detection·n⌉-th highest of their scores. It is read off the very samples that are scored, as
the false-positive rate at a given recall always is.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_auroc
from torchmetrics.utilities import dim_zero_cat

DAY = 86400.0  # s


def operating_point(score: Tensor, intruder: Tensor, detection: float) -> Tensor:
    """The threshold, a scalar; NaN where no window holds an intruder."""
    found = score[intruder].sort(descending=True).values
    if not len(found):
        return score.new_tensor(float("nan"))
    # detection·n is a hair above a whole number now and then (0.95 · 20)
    return found[max(math.ceil(detection * len(found) - 1e-9), 1) - 1]


def first_alarms(score: Tensor, truth: Tensor, threshold: Tensor) -> Tensor:
    """Per episode with an intruder the seconds from onset to the first window at or above the threshold; inf: never."""
    there = (truth[:, 0] == 1) & ~truth[:, 2].isnan()
    score, episode, since = score[there], truth[there, 1], truth[there, 2]
    late = torch.where(score >= threshold, since, float("inf"))
    names, number = episode.unique(return_inverse=True)
    return late.new_full((len(names),), float("inf")).scatter_reduce(0, number, late, "amin")


class AlarmScore(Metric):
    """A number from all scores and truths."""

    score: list[Tensor]
    truth: list[Tensor]

    def __init__(self, detection: float, period_s: float, **fields: Any) -> None:
        super().__init__(**fields)
        self.detection, self.period_s = detection, period_s
        self.add_state("score", default=[], dist_reduce_fx="cat")
        self.add_state("truth", default=[], dist_reduce_fx="cat")

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        self.score.append(prediction)
        self.truth.append(truth)

    def of(self, score: Tensor, truth: Tensor) -> Tensor:
        raise NotImplementedError

    def compute(self) -> Tensor:
        return self.of(dim_zero_cat(self.score), dim_zero_cat(self.truth))


class AUROC(AlarmScore):
    """P(score with an intruder > score without), ties half; NaN where there are not both."""

    def of(self, score: Tensor, truth: Tensor) -> Tensor:
        intruder = truth[:, 0] == 1
        if intruder.all() or not intruder.any():
            return score.new_tensor(float("nan"))
        return binary_auroc(score, intruder.long(), validate_args=False)


class Threshold(AlarmScore):
    """The operating point itself."""

    def of(self, score: Tensor, truth: Tensor) -> Tensor:
        return operating_point(score, truth[:, 0] == 1, self.detection)


class FalseAlarms(AlarmScore):
    """Windows without an intruder at or above the operating point, per day of such windows.

    (alarms / windows)·(86400 s / period): each window stands for one decision; NaN without windows of either sort.
    """

    def of(self, score: Tensor, truth: Tensor) -> Tensor:
        intruder = truth[:, 0] == 1
        threshold = operating_point(score, intruder, self.detection)
        share = (score[~intruder] >= threshold).float().mean()
        return torch.where(threshold.isnan(), threshold, share * (DAY / self.period_s))


class TimeToDetection(AlarmScore):
    """Mean s from onset to the first alarm at the operating point, over the episodes in which there is one."""

    def of(self, score: Tensor, truth: Tensor) -> Tensor:
        first = first_alarms(score, truth, operating_point(score, truth[:, 0] == 1, self.detection))
        return first[first.isfinite()].mean()


class MissedEpisodes(AlarmScore):
    """Share of the episodes with an intruder in which no window reaches the operating point."""

    def of(self, score: Tensor, truth: Tensor) -> Tensor:
        return (
            first_alarms(score, truth, operating_point(score, truth[:, 0] == 1, self.detection)).isinf().float().mean()
        )
