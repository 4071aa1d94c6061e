"""Scores of commands: prediction (N, Σ C_f), the fields' probabilities side by side, the intent's first; truth (N, F).

Class 0 of a slot is "none"; a truth of C_f is a word that no class stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


def picked(prediction: Tensor, sizes: Sequence[int]) -> Tensor:
    """The likeliest class of every field, (N, F)."""
    return torch.stack([field.argmax(-1) for field in prediction.split(list(sizes), -1)], -1)


class CommandScore(Metric):
    """2·a / (b + c) of three counts that a subclass takes of the predicted and true classes (N, F)."""

    a: Tensor
    b: Tensor
    c: Tensor

    def __init__(self, sizes: Sequence[int], **fields: Any) -> None:
        super().__init__(**fields)
        self.sizes = list(sizes)
        for name in ("a", "b", "c"):
            self.add_state(name, default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def counts(self, predicted: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        raise NotImplementedError

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        a, b, c = self.counts(picked(prediction, self.sizes), truth)
        self.a, self.b, self.c = self.a + a.sum(), self.b + b.sum(), self.c + c.sum()

    def compute(self) -> Tensor:
        return 2 * self.a.float() / (self.b + self.c)  # 0 / 0: NaN


class ExactMatch(CommandScore):
    """Share of commands all of whose fields are right."""

    def counts(self, predicted: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        each = torch.ones_like(truth[:, 0])
        return (predicted == truth).all(1), each, each


class IntentAccuracy(CommandScore):
    """Share of commands whose intent is right."""

    def counts(self, predicted: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        each = torch.ones_like(truth[:, 0])
        return predicted[:, 0] == truth[:, 0], each, each


class SlotF1(CommandScore):
    """Micro F1 over the slots that are named: 2·right / (named in the prediction + named in the truth).

    A slot is right when it is named and its word is. NaN where neither names any.
    """

    def counts(self, predicted: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ours, theirs = predicted[:, 1:], truth[:, 1:]
        return (ours == theirs) & (theirs > 0), ours > 0, theirs > 0
