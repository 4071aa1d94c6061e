"""Merged attention: all tokens of a sample in one sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.layers.blocks import SelfAttention


class Attention(Fusion):
    """z = x + MHA(LN(x + e)), over all tokens of all modalities present: (B, M, K, D) → (B, 1, M·K, D).

    Merged attention; x stands for x + e, e_m a learned embedding of the modality.

    Absent: its tokens are masked
    Source: Vaswani et al. 2017, arXiv:1706.03762, eq. 1
    Cost: 4·D² + 6·D + M·D parameters, 8·M·K·D² + 4·M²·K²·D FLOPs
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
        return one_branch(x + self.attention(self.norm(x), seen), seen)
