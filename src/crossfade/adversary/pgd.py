"""Adversarial training with projected gradient descent."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from crossfade.adversary.attack import Inputs, Loss, pgd
from crossfade.adversary.base import Adversary
from crossfade.data.scale import Scale


class Pgd(Adversary):
    """`steps` small steps from a random place in the box: see `attack.pgd`. Each adds a plain training step's cost."""

    def __init__(self, scales: Mapping[str, Scale], epsilon: float = 0.1, share: float = 1.0, steps: int = 5) -> None:
        super().__init__(scales, epsilon, share)
        self.steps = steps

    def attack(self, loss: Loss, x: Inputs, radius: Inputs, scales: Mapping[str, Scale]) -> dict[str, Tensor]:
        start = {name: 2 * torch.rand_like(value) - 1 for name, value in x.items()}
        return pgd(loss, x, radius, scales, self.steps, start)
