"""Adversarial training with the fast gradient sign method."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from crossfade.adversary.attack import Inputs, Loss, fgsm
from crossfade.adversary.base import Adversary
from crossfade.data.scale import Scale


class Fgsm(Adversary):
    """One step to a corner of the box, x + ε·sd·sign(∇_x L): see `attack.fgsm`. It doubles a training step's cost."""

    def __init__(self, scales: Mapping[str, Scale], epsilon: float = 0.1, share: float = 0.5) -> None:
        super().__init__(scales, epsilon, share)

    def attack(self, loss: Loss, x: Inputs, radius: Inputs, scales: Mapping[str, Scale]) -> dict[str, Tensor]:
        return fgsm(loss, x, radius, scales)
