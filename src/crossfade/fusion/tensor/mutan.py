"""MUTAN: a Tucker decomposition of the bilinear map."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.tensor.products import product
from crossfade.layers.per_modality import PerModality


class MUTAN(Fusion):
    """z = W·Σ_r ∏_m (U_{m,r}·tanh(V_m·x_m + b_m)) + b: (B, M, K, D) → (B, 1, K, D).

    A Tucker decomposition of the bilinear tensor with a core of `rank` = R; each modality is first brought to `hidden`
    = H features.

    Absent: the neutral factor 1
    Source: Ben-Younes et al. 2017, arXiv:1705.06676, eq. 10 (the sum over r), between projections as in section 3
    Cost: M·D·H + M·H + M·R·H² + H·D + D parameters, 2·K·(M·D·H + M·R·H² + H·D) FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int, rank: int = 4, hidden: int = 32) -> None:
        super().__init__(modalities, width, tokens)
        self.rank = rank
        self.reduce = PerModality(len(modalities), width, hidden)
        self.factors = PerModality(len(modalities), hidden, rank * hidden, bias=False)
        self.project = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        factors = self.factors(torch.tanh(self.reduce(tokens))).masked_fill(~mask.unsqueeze(-1), 1.0)
        return one_branch(self.project(product(factors).unflatten(-1, (self.rank, -1)).sum(-2)), mask.any(1))
