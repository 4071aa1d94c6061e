"""Attention level by level: within each modality, then among them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.latents.within import within
from crossfade.fusion.layers import masked_softmax
from crossfade.layers.blocks import Block


class Hierarchical(Fusion):
    """z = Σ_m a_m·y_m, a = softmax_{m present}(wᵀ·tanh(U·y_m + b)), y = Block(x + e): (B, M, K, D) → (B, 1, K, D).

    First the tokens of a modality attend to each other (one Transformer block, shared), then each position weighs its
    modalities.

    Absent: left out of the softmax
    Source: Yang et al. 2016, doi:10.18653/v1/N16-1174, eq. 8 to 10, over modalities in the place of sentences
    Cost: 5·D² + 2·r·D² + (11 + r)·D + M·D parameters, M·K·((10 + 4·r)·D² + 4·K·D + 2·D) FLOPs
    """

    def __init__(
        self,
        modalities: tuple[str, ...],
        width: int,
        tokens: int,
        heads: int = 4,
        mlp_ratio: float = 2.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(modalities, width, tokens)
        self.identity = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)
        self.block = Block(width, heads, mlp_ratio, dropout)
        self.inner = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        y = within(self.block, tokens + self.identity.to(tokens.dtype), mask)
        score = self.score(torch.tanh(self.inner(y))).squeeze(-1)
        share = masked_softmax(score, mask, 1).to(y.dtype)
        return one_branch((share.unsqueeze(-1) * y).sum(1), mask.any(1))
