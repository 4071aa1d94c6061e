"""Concatenation of the features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch


class Concat(Fusion):
    """z = W·[x_1; …; x_M] + b: (B, M, K, D) → (B, 1, K, D).

    In the place of an absent modality stands a learned vector a_m, so that "absent" is not mistaken for "zero".
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.absent = nn.Parameter(torch.zeros(len(modalities), 1, width))
        self.project = nn.Linear(len(modalities) * width, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        filled = torch.where(mask.unsqueeze(-1), tokens, self.absent.to(tokens.dtype))
        seen = mask.any(1)
        z = self.project(filled.transpose(1, 2).flatten(2))
        return one_branch(z.masked_fill(~seen.unsqueeze(-1), 0.0), seen)
