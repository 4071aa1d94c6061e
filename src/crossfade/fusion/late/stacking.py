"""Stacking: the weights of the decisions are learned, by presence pattern."""

from __future__ import annotations

from torch import Tensor, nn

from crossfade.fusion.late.branches import Branches
from crossfade.fusion.layers import masked_softmax


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
