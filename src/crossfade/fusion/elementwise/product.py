"""The product of the modalities, element by element."""

from __future__ import annotations

from torch import Tensor

from crossfade.fusion.base import Fused, Fusion, one_branch


class Product(Fusion):
    """z = ∏_{m present} x_m: (B, M, K, D) → (B, 1, K, D).

    Element by element (Hadamard).

    Absent: the neutral 1
    Source: Kim et al. 2017, arXiv:1610.04325, eq. 3 (Hadamard product), without its projections
    Cost: 0 parameters, 0 FLOPs
    """

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        return one_branch(tokens.masked_fill(~mask.unsqueeze(-1), 1.0).prod(1), mask.any(1))
