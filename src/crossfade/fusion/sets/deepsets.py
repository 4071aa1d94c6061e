"""Deep sets: the modalities as a set."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from crossfade.fusion.base import Fused, Fusion, one_branch


class DeepSets(Fusion):
    """z = ρ(Σ_{m present} φ(x_m + e_m)), φ(x) = GELU(W_1·x + b_1), ρ(s) = W_2·s + b_2: (B, M, K, D) → (B, 1, K, D).

    e_m tells φ, which all modalities share, what it looks at. `hidden` is H.

    Absent: left out of the sum
    Source: Zaheer et al. 2017, arXiv:1703.06114, theorem 2
    Cost: 2·D·H + H + D + M·D parameters, 2·K·(M + 1)·D·H FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int, hidden: int = 128) -> None:
        super().__init__(modalities, width, tokens)
        self.identity = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        each = gelu(self.inner(tokens + self.identity.to(tokens.dtype)))
        return one_branch(self.outer(each.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1)), mask.any(1))
