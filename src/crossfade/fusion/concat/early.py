"""Concatenation of the input tokens: the core fuses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch


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
