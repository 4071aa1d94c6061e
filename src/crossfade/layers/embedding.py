"""From an encoder's tokens to the K normalised tokens that fusion sees."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from crossfade.layers.blocks import sinusoids
from crossfade.layers.masking import masked_mean


class Embedding(nn.Module):
    """x = LN(W·pool((tokens − μ) / σ) + b): tokens (B, L, D_e), mask (B, L) → (B, K, D).

    K = 1 pools by the mean over the tokens that count; K > 1 by attention of K learned queries over them and their
    positions (the resampler of Jaegle et al. 2021, arXiv:2103.03206, with one layer). `placed` tokens, L = K on the
    grid of a dense target, are not pooled. LN has no gain and no shift: every token
    has mean 0 and variance 1, so that an encoder cannot undo α by rescaling. μ and σ (D_e) are 0 and 1, but
    for a frozen encoder those of its features over the training split (`standardise`): given weights often put all
    samples close together and far from 0. Without `projected` x = LN(pool(tokens)), of tokens that have width D.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, source: int, width: int, tokens: int, placed: bool = False, projected: bool = True) -> None:
        super().__init__()
        self.width, self.tokens, self.placed, self.projected = width, tokens, placed, projected
        self.register_buffer("shift", torch.zeros(source))
        self.register_buffer("scale", torch.ones(source))
        self.project = nn.Linear(source, width) if projected else nn.Identity()
        if tokens > 1 and not placed:
            self.query = nn.Parameter(torch.randn(tokens, width) * width**-0.5)
            self.key = nn.Linear(source, width)
            self.place = nn.Linear(width, width, bias=False)

    def standardise(self, features: Tensor) -> None:
        """Take μ and σ from features (N, D_e); a feature that never varies is only shifted. Not without `projected`."""
        if not self.projected:
            return
        sd, mean = torch.std_mean(features, 0)
        self.shift.copy_(mean)
        self.scale.copy_(torch.where(sd > 1e-6, 1 / sd, 1.0))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        tokens = (tokens - self.shift) * self.scale
        if self.placed:
            pooled = self.project(tokens)
        elif self.tokens == 1:
            pooled = self.project(masked_mean(tokens, mask)).unsqueeze(1)
        else:
            place = self.place(sinusoids(tokens.shape[-2], self.width).to(tokens))
            score = self.query @ (self.key(tokens) + place).transpose(-1, -2) * self.width**-0.5
            lowest = torch.finfo(score.dtype).min
            share = score.masked_fill(~mask.unsqueeze(1), lowest).softmax(-1)
            pooled = share @ self.project(tokens)
        return layer_norm(pooled, (self.width,))
