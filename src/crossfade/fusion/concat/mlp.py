"""Concatenation with a hidden layer behind it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import side_by_side
from crossfade.layers.draws import dropout


class MLP(Fusion):
    """z = W_2·GELU(W_1·[x_1; …; x_M] + b_1) + b_2: (B, M, K, D) → (B, 1, K, D).

    `hidden` is H, the width between.

    Absent: a learned vector a_m
    Source: concat with a hidden layer (Ngiam et al. 2011, ICML)
    Cost: M·D·H + H·D + M·D + H + D parameters, 2·K·(M·D·H + H·D) FLOPs
    """

    def __init__(
        self, modalities: tuple[str, ...], width: int, tokens: int, hidden: int = 128, dropout: float = 0.0
    ) -> None:
        super().__init__(modalities, width, tokens)
        self.dropout = dropout
        self.absent = nn.Parameter(torch.zeros(len(modalities), 1, width))
        self.inner = nn.Linear(len(modalities) * width, hidden)
        self.outer = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        inner = nn.functional.gelu(self.inner(side_by_side(tokens, mask, self.absent)))
        return one_branch(self.outer(dropout(inner, self.dropout, self.training)), mask.any(1))
