"""Gradient blending: the fused loss and those of the modalities alone, weighed by how well they generalise."""

from __future__ import annotations

import torch
from torch import Tensor

from crossfade.balance.base import Balance, Truth, alone_losses, total_loss
from crossfade.layers.processes import shared
from crossfade.model import FusionModel


class GradientBlending(Balance):
    """L = (M + 1)·Σ_k w_k·L_k over k = the modalities alone and the fused model; equal weights until `every` epochs.

    After every `every` epochs, between two measurements of training and validation loss:

        w_k ∝ G_k / O_k²,   G_k = −ΔL_k^val,   O_k = Δ(L_k^val − L_k^train)

    so that what learns without overfitting leads (Wang et al. 2020, arXiv:1905.12681, eq. 6 and algorithm 2; numbers
    from memory). There each modality has a head of its own; here L_m is the loss of the model given m alone, through
    the same fusion and heads. A loss that did not fall has weight 0; where none fell, the weights stay. The validation
    split steers the weights, so its figures are a little too good.
    """

    weights: Tensor
    learned: Tensor
    checked: Tensor
    before: Tensor

    def __init__(self, model: FusionModel, every: int = 2) -> None:
        super().__init__(model)
        self.every = every
        losses = len(self.modalities) + 1
        self.register_buffer("weights", torch.full((losses,), 1 / losses))
        self.register_buffer("learned", torch.zeros(2, losses))  # sum of the losses, number of batches
        self.register_buffer("checked", torch.zeros(2, losses))
        self.register_buffer("before", torch.full((2, losses), float("nan")))  # training and validation loss

    def objective(self, loss: Tensor, model: FusionModel, tokens: Tensor, mask: Tensor, truth: Truth) -> Tensor:
        losses, counts = alone_losses(model, tokens, mask, truth)
        every = torch.cat([losses, loss[None]])
        _count(self.learned, every.detach(), counts)
        return len(every) * (self.weights * every).sum()

    def validated(self, model: FusionModel, tokens: Tensor, mask: Tensor, truth: Truth) -> None:
        losses, counts = alone_losses(model, tokens, mask, truth)
        fused = total_loss(model, model.decide(tokens, mask), truth)
        _count(self.checked, torch.cat([losses, fused[None]]), counts)

    def epoch_ended(self, epoch: int) -> None:
        now = torch.stack([shared(kept[0] / kept[1].clamp(min=1)) for kept in (self.learned, self.checked)])
        self.learned.zero_()
        self.checked.zero_()
        if self.before.isnan().any():
            self.before.copy_(now)
        elif (epoch + 1) % self.every == 0:
            self.weights.copy_(blended(self.weights, self.before, now))
            self.before.copy_(now)


def _count(kept: Tensor, losses: Tensor, counts: Tensor) -> None:
    seen = torch.cat([counts > 0, counts.new_ones(1) > 0]).to(losses.dtype)
    kept += torch.stack([losses * seen, seen])


def blended(weights: Tensor, before: Tensor, now: Tensor) -> Tensor:
    """The next weights (n,), from training and validation losses (2, n) before and now."""
    gain = (before[1] - now[1]).clamp(min=0)
    overfitting = (now[1] - now[0]) - (before[1] - before[0])
    # an overfitting of almost nothing must not take all the weight: a hundredth of the largest loss is the least
    least = 1e-2 * now.abs().max()
    raw = gain / overfitting.abs().clamp(min=least).square()
    return torch.where(raw.sum() > 0, raw / raw.sum().clamp(min=torch.finfo(raw.dtype).tiny), weights)
