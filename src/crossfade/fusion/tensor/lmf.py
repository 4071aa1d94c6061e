"""Low-rank multimodal fusion."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.tensor.products import product
from crossfade.layers.per_modality import PerModality


class LMF(Fusion):
    """z = Σ_r w_r·∏_m (U_{m,r}·x_m + c_{m,r}) + b: (B, M, K, D) → (B, 1, K, D).

    Low-rank multimodal fusion: a tensor fusion network whose W is a sum of `rank` = R outer products, never built. c
    is the row of U for the appended 1; it starts at 1, so that no modality begins by wiping out the others.

    Absent: x_m = 0 beside the appended 1: the factor is c_{m,r}
    Source: Liu et al. 2018, arXiv:1806.00064, eq. 8; the weights w_r and b as in its authors' code
    Cost: M·R·D² + M·R·D + R + D parameters, 2·K·M·R·D² FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int, rank: int = 4) -> None:
        super().__init__(modalities, width, tokens)
        self.rank = rank
        self.factors = PerModality(len(modalities), width, rank * width)
        assert self.factors.bias is not None
        nn.init.ones_(self.factors.bias)
        self.weight = nn.Parameter(torch.randn(rank) * rank**-0.5)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        z = product(self.factors(tokens.masked_fill(~mask.unsqueeze(-1), 0.0))).unflatten(-1, (self.rank, -1))
        return one_branch((self.weight[:, None] * z).sum(-2) + self.bias, mask.any(1))
