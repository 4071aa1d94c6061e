"""The mean of the decisions."""

from __future__ import annotations

from crossfade.fusion.late.branches import Branches


class Late(Branches):
    """p(y) = Σ_{m present} p_m(y) / |present|, p_m = head(core(x_m + e_m)): (B, M, K, D) → (B, M, K, D).

    Absent: left out of sum and count
    Source: Kittler et al. 1998, doi:10.1109/34.667881, section 2.2 (sum rule, equal priors)
    Cost: M·D parameters, 0 FLOPs; core and heads run M times
    """
