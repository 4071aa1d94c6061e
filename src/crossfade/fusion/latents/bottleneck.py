"""Attention bottlenecks: modalities meet in a few tokens only."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.latents.within import within
from crossfade.fusion.layers import present_mean
from crossfade.layers.blocks import Block


class Bottleneck(Fusion):
    """[x_m; b_m] ← Block([x_m; b]), b ← mean_m b_m, `layers` times; z = mean_m x_m: (B, M, K, D) → (B, 1, K, D).

    Modalities meet in `latents` = N tokens b alone. The Transformer blocks are shared between the modalities, which
    learned embeddings e_m tell apart; in the paper each modality has its own. `layers` = T.

    Absent: left out of both means
    Source: Nagrani et al. 2021, arXiv:2107.00135 (MBT), eq. 8 and 9
    Cost: T·(4·D² + 2·r·D² + (9 + r)·D) + (M + N)·D parameters, T·M·(K + N)·((8 + 4·r)·D² + 4·(K + N)·D) FLOPs
    """

    def __init__(
        self,
        modalities: tuple[str, ...],
        width: int,
        tokens: int,
        latents: int = 4,
        layers: int = 2,
        heads: int = 4,
        mlp_ratio: float = 2.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(modalities, width, tokens)
        self.identity = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)
        self.latents = nn.Parameter(torch.randn(latents, width) * 0.02)
        self.blocks = nn.ModuleList([Block(width, heads, mlp_ratio, dropout) for _ in range(layers)])

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        x = tokens + self.identity.to(tokens.dtype)
        here = mask.any(-1, keepdim=True).expand(-1, -1, len(self.latents))
        latents = self.latents.to(x.dtype).expand(x.shape[0], -1, -1)
        for block in self.blocks:
            both = torch.cat([x, latents.unsqueeze(1).expand(-1, x.shape[1], -1, -1)], 2)
            both = within(block, both, torch.cat([mask, here], 2))
            x, own = both.split([self.tokens, len(self.latents)], 2)
            latents = present_mean(own, here)
        return one_branch(present_mean(x, mask), mask.any(1))
