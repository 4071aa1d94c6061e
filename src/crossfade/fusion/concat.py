"""Concatenation: of the features (concat, mlp) or of the input tokens (early)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import side_by_side
from crossfade.layers.draws import dropout


class Concat(Fusion):
    """z = W·[x_1; …; x_M] + b: (B, M, K, D) → (B, 1, K, D).

    Absent: a learned vector a_m, so that "absent" is not mistaken for "zero"
    Source: Ngiam et al. 2011, ICML (bimodal features)
    Cost: M·D² + M·D + D parameters, 2·K·M·D² FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.absent = nn.Parameter(torch.zeros(len(modalities), 1, width))
        self.project = nn.Linear(len(modalities) * width, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        return one_branch(self.project(side_by_side(tokens, mask, self.absent)), mask.any(1))


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


class Early(Fusion):
    """z = (x_1 + e_1, …, x_M + e_M), one sequence: (B, M, K, D) → (B, 1, M·K, D).

    The tokens themselves go on, told apart by a learned embedding e_m; it is the core that fuses.

    Absent: its tokens are masked
    Source: Chen et al. 2020, arXiv:1909.11740 (UNITER), section 3.1
    Cost: M·D parameters, 0 FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.length = len(modalities) * tokens
        self.identity = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        return one_branch((tokens + self.identity.to(tokens.dtype)).flatten(1, 2), mask.flatten(1))
