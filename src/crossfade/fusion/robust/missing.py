"""Learned tokens in the place of absent modalities."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch


class Missing(Fusion):
    """z = (y_1, …, y_M), one sequence, y_m = x_m + e_m, or a_m if absent: (B, M, K, D) → (B, 1, M·K, D).

    In the place of an absent modality stand learned tokens that the core attends to like any other.

    Absent: a learned token a_m
    Source: after Lee et al. 2023, arXiv:2303.03369 (missing-aware prompts), section 3
    Cost: 2·M·D parameters, 0 FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.length = len(modalities) * tokens
        self.identity = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)
        self.absent = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        here = tokens + self.identity.to(tokens.dtype)
        filled = torch.where(mask.unsqueeze(-1), here, self.absent.to(tokens.dtype))
        # a position that no modality has stays masked
        return one_branch(filled.flatten(1, 2), mask.any(1, keepdim=True).expand_as(mask).flatten(1))
