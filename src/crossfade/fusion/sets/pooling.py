"""Attention pooling: each position weighs its modalities by what they say."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import masked_softmax


class Pooling(Fusion):
    """z = Σ_m a_m·x_m, a = softmax_{m present}(wᵀ·tanh(V·(x_m + e_m))): (B, M, K, D) → (B, 1, K, D).

    Attention pooling: each position weighs its modalities by what they say. `hidden` is H, the rows of V.

    Absent: left out of the softmax
    Source: Ilse et al. 2018, arXiv:1802.04712, eq. 7 and 8
    Cost: D·H + H + M·D parameters, 2·K·M·(D·H + H) FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int, hidden: int = 64) -> None:
        super().__init__(modalities, width, tokens)
        self.identity = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)
        self.inner = nn.Linear(width, hidden, bias=False)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        score = self.score(torch.tanh(self.inner(tokens + self.identity.to(tokens.dtype)))).squeeze(-1)
        share = masked_softmax(score, mask, 1).to(tokens.dtype)
        return one_branch((share.unsqueeze(-1) * tokens).sum(1), mask.any(1))
