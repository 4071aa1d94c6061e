"""The mean of the modalities that are present."""

from __future__ import annotations

from torch import Tensor

from crossfade.fusion.base import Fused, Fusion, one_branch


class Mean(Fusion):
    """z = Σ_{m present} x_m / |present|: (B, M, K, D) → (B, 1, K, D).

    Absent: left out of sum and count
    Source: Havaei et al. 2016, arXiv:1607.05194 (HeMIS), its first moment
    Cost: 0 parameters, 0 FLOPs
    """

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        count = mask.sum(1).clamp(min=1).unsqueeze(-1).to(tokens.dtype)
        return one_branch(tokens.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1) / count, mask.any(1))
