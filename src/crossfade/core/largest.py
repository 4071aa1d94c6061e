"""No core either, but the largest value of each feature in place of the mean."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.core.base import Representation


class Largest(nn.Module):
    """h(z)_d = max_l z_ld over the tokens that count, 0 where none does: (B, L, D), mask (B, L) → Representation.

    On a grid a thing in one of g² cells is lost in the mean of all; its largest feature is not. So PointNet pools the
    points of a set (Qi et al. 2017, arXiv:1612.00593, eq. 1).
    """

    def __init__(self, width: int, length: int) -> None:
        super().__init__()

    def forward(self, tokens: Tensor, mask: Tensor) -> Representation:
        lowest = torch.finfo(tokens.dtype).min
        largest = tokens.masked_fill(~mask.unsqueeze(-1), lowest).amax(-2)
        return Representation(largest.masked_fill(~mask.any(-1, keepdim=True), 0.0), tokens, mask)
