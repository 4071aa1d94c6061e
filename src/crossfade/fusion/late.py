"""Late fusion: each modality decides alone, the decisions are averaged."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion


class Late(Fusion):
    """p(y) = 1/|present| · Σ_{m present} p_m(y), p_m = head(core(x_m + e_m)): (B, M, K, D) → (B, M, K, D).

    Core and heads are shared; the learned embedding e_m tells them which modality they look at.
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.identity = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        x = (tokens + self.identity.to(tokens.dtype)).masked_fill(~mask.unsqueeze(-1), 0.0)
        here = mask.any(-1).to(tokens.dtype)
        return Fused(x, mask, here / here.sum(1, keepdim=True).clamp(min=1))
