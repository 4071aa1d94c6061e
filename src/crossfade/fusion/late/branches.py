"""What all of these share: each modality is a branch that decides alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion
from crossfade.fusion.layers import renormalised


class Branches(Fusion):
    """One branch per modality, x_m + e_m: core and heads are shared, e_m tells them which modality they look at."""

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.identity = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)

    def weight(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Weights of the branches, (B, M), 0 where absent."""
        return renormalised(torch.ones_like(tokens[:, :, 0, 0]), mask.any(-1).to(tokens.dtype))

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        x = (tokens + self.identity.to(tokens.dtype)).masked_fill(~mask.unsqueeze(-1), 0.0)
        return Fused(x, mask, self.weight(tokens, mask))
