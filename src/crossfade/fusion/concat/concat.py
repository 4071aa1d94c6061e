"""Concatenation of the features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import side_by_side


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
