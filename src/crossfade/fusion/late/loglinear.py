"""The log-linear pool: decisions multiplied, each to the power of its α."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from crossfade.fusion.late.branches import Branches
from crossfade.fusion.layers import renormalised
from crossfade.fusion.simplex import WithAlpha


class LogLinear(WithAlpha, Branches):
    """p(y) ∝ ∏_{m present} p_m(y)^α_m: (B, M, K, D) → (B, M, K, D).

    The logarithmic opinion pool. α lies on the simplex over the modalities and is renormalised over those present, as
    in `weighted`; with even α it is the geometric mean. "learned": M parameters more.

    Absent: left out, α renormalised over those present
    Source: Heskes 1998, NeurIPS (Selecting weighting factors in logarithmic opinion pools)
    Cost: M·D parameters, 0 FLOPs; core and heads run M times
    """

    mixing: ClassVar[str] = "product"

    def weight(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return renormalised(self.alpha.to(tokens.dtype), mask.any(-1).to(tokens.dtype))
