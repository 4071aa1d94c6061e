"""Attention across the modalities of a sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.blocks import SelfAttention
from crossfade.fusion.base import Fused, Fusion, one_branch


class Attention(Fusion):
    """z = x + MHA(LN(x + e)), over all tokens of all modalities present: (B, M, K, D) → (B, 1, M·K, D).

    e_m is a learned embedding of the modality. Scaled dot-product attention: Vaswani et al. 2017,
    arXiv:1706.03762, eq. 1. It never crosses samples.
    """

    def __init__(
        self, modalities: tuple[str, ...], width: int, tokens: int, heads: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__(modalities, width, tokens)
        self.length = len(modalities) * tokens
        self.identity = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)
        self.norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, dropout)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        x = (tokens + self.identity.to(tokens.dtype)).flatten(1, 2)
        seen = mask.flatten(1)
        x = x + self.attention(self.norm(x), seen)
        return one_branch(x.masked_fill(~seen.unsqueeze(-1), 0.0), seen)
