"""The largest of the modalities, element by element."""

from __future__ import annotations

import torch
from torch import Tensor

from crossfade.fusion.base import Fused, Fusion, one_branch


class Max(Fusion):
    """z_d = max_{m present} x_{m,d}: (B, M, K, D) → (B, 1, K, D).

    Absent: left out
    Source: Su et al. 2015, arXiv:1505.00880 (view pooling)
    Cost: 0 parameters, 0 FLOPs
    """

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        lowest = torch.finfo(tokens.dtype).min
        return one_branch(tokens.masked_fill(~mask.unsqueeze(-1), lowest).amax(1), mask.any(1))
