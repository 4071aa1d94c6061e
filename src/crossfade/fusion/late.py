"""Each modality decides alone, then the decisions are mixed: late, stacking, quality, loglinear, poe, evidential."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion
from crossfade.fusion.layers import masked_softmax, renormalised
from crossfade.fusion.simplex import SampleAlpha, WithAlpha


class Branches(Fusion):
    """One branch per modality, x_m + e_m: core and heads are shared, e_m tells them which modality they look at."""

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.identity = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)

    def weight(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Weights of the branches, (B, M), 0 where absent."""
        return renormalised(torch.ones_like(tokens[:, :, 0, 0]), mask.any(-1).to(tokens.dtype))

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        x = (tokens + self.identity.to(tokens.dtype)).masked_fill(~mask.unsqueeze(-1), 0.0)
        return Fused(x, mask, self.weight(tokens, mask))


class Late(Branches):
    """p(y) = Σ_{m present} p_m(y) / |present|, p_m = head(core(x_m + e_m)): (B, M, K, D) → (B, M, K, D).

    Absent: left out of sum and count
    Source: Kittler et al. 1998, doi:10.1109/34.667881, section 2.2 (sum rule, equal priors)
    Cost: M·D parameters, 0 FLOPs; core and heads run M times
    """


class Stacking(Branches):
    """p(y) = Σ_m w_m·p_m(y), w = softmax_{m present}(θ_m + Σ_{j present} Φ_mj): (B, M, K, D) → (B, M, K, D).

    A linear combiner of the decisions, learned with them (a stack fitted on held-out predictions would need a second
    training); its weights depend on which others are present.

    Absent: left out of the softmax; the weights of the others have learned that it is
    Source: Wolpert 1992, doi:10.1016/S0893-6080(05)80023-1; Sill et al. 2009, arXiv:0911.0460, with presence \
as the meta-feature
    Cost: M² + M + M·D parameters, 2·M² FLOPs; core and heads run M times
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.beside = nn.Linear(len(modalities), len(modalities))
        nn.init.zeros_(self.beside.weight)
        nn.init.zeros_(self.beside.bias)

    def weight(self, tokens: Tensor, mask: Tensor) -> Tensor:
        here = mask.any(-1)
        return masked_softmax(self.beside(here.to(tokens.dtype)), here, 1)


class Quality(Branches):
    """p(y) = Σ_m w_m(x)·p_m(y), w = softmax_{m present}(u_m·x̄_m + b_m): (B, M, K, D) → (B, M, K, D).

    Quality-aware: a modality's weight depends on the sample. In the paper w is an energy of p_m held to the history
    of its losses; here it is learned from x̄_m, the mean of m's tokens, through the task's loss alone.

    Absent: left out of the softmax
    Source: after Zhang et al. 2023, arXiv:2306.02050 (QMF), section 3; its own weights: eq. 9
    Cost: 2·M·D + M parameters, 2·M·D FLOPs; core and heads run M times
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.gate = SampleAlpha(len(modalities), width)

    def weight(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.gate(tokens, mask)


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


class Evidential(Branches):
    """b = b_1 ⊕ … ⊕ b_M, Dempster's rule over the opinions of those present: (B, M, K, D) → (B, M, K, D).

    The outputs of C classes are evidence e = softplus(o), a Dirichlet with α = e + 1: beliefs e/Σα, uncertainty C/Σα.
    The combined Dirichlet's mean is the prediction, trained by the target's own loss in the place of the paper's
    integrated one. A label of several is two classes, yes and no. Other kinds of target than these two take the mean.

    Absent: no evidence, full uncertainty: the rule's neutral element
    Source: Han et al. 2021, arXiv:2102.02051 (TMC), section 3
    Cost: M·D parameters, 0 FLOPs; core and heads run M times
    """

    mixing: ClassVar[str] = "evidence"
