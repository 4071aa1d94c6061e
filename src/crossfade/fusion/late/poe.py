"""A product of experts."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from crossfade.fusion.late.branches import Branches


class PoE(Branches):
    """p(y) ∝ ∏_{m present} p_m(y): (B, M, K, D) → (B, M, K, D).

    Product of experts: several that agree are surer than each of them. Of numbers, experts of one variance: their
    mean.

    Absent: left out
    Source: Hinton 2002, doi:10.1162/089976602760128018, eq. 1
    Cost: M·D parameters, 0 FLOPs; core and heads run M times
    """

    mixing: ClassVar[str] = "product"

    def weight(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return mask.any(-1).to(tokens.dtype)
