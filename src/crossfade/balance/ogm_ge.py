"""On-the-fly gradient modulation with generalisation enhancement."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from crossfade.balance.base import Balance, Truth, alone_losses, of_others
from crossfade.layers.processes import shared
from crossfade.model import FusionModel


class OgmGe(Balance):
    """The gradient of a modality that is ahead of the others is made smaller, and noise is added to it.

        ρ_m = s_m / mean_{n≠m} s_n,   k_m = 1 − tanh(strength·ρ_m) where ρ_m > 1, else 1
        g_m ← k_m·g_m + noise·N(0, sd(g_m)²)         on the parameters of encoder and embedding of m

    Peng et al. 2022 (arXiv:2203.15332), eq. 9 to 11, and 17 with the noise, for two modalities; the mean over the
    others is the usual form for more. There s_m is the mean probability that modality m alone gives the true class;
    here it is exp(−L_m), its geometric mean, with L_m the loss of the model given m alone, so that it is defined for
    every target and strategy. Encoders that several modalities share are left as they are.
    """

    k: Tensor

    def __init__(self, model: FusionModel, strength: float = 0.5, noise: float = 1.0) -> None:
        super().__init__(model)
        self.strength, self.noise = strength, noise
        self.register_buffer("k", torch.ones(len(self.modalities)))

    def objective(self, loss: Tensor, model: FusionModel, tokens: Tensor, mask: Tensor, truth: Truth) -> Tensor:
        with torch.no_grad():
            losses, counts = alone_losses(model, tokens.detach(), mask, truth)
            score = shared((-losses).exp())
            ratio = score / of_others(score, counts).clamp(min=torch.finfo(score.dtype).tiny)
            self.k.copy_(torch.where(ratio > 1, 1 - (self.strength * ratio).tanh(), 1.0))
        return loss

    def adjust(self, model: FusionModel) -> None:
        for k, modality in zip(self.k, self.modalities, strict=True):
            for parameter in _own_parameters(model, modality):
                gradient = parameter.grad
                if gradient is None:
                    continue
                gradient.mul_(k)
                if self.noise and gradient.numel() > 1:
                    # the same draw on every process: their weights must stay equal
                    gradient.add_(torch.randn_like(gradient) * (self.noise * gradient.std()))


def _own_parameters(model: FusionModel, modality: str) -> Iterator[nn.Parameter]:
    """Parameters that only this modality uses."""
    yield from model.embeddings[modality].parameters()
    encoder = model.encoder_of[modality]
    if list(model.encoder_of.values()).count(encoder) == 1:
        yield from model.encoders[encoder].parameters()
