"""A blend whose α each sample chooses for itself."""

from __future__ import annotations

from torch import Tensor

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import renormalised
from crossfade.fusion.simplex import SampleAlpha


class Adaptive(Fusion):
    """z = Σ_m α_m(x)·x_m, α(x) = softmax_{m present}(w_m·x̄_m + b_m): (B, M, K, D) → (B, 1, K, D).

    The α of each sample, from the mean x̄_m of each modality's tokens; the same at all positions, and renormalised at
    a position over the modalities that have it.

    Absent: left out of the softmax
    Source: Jacobs et al. 1991, doi:10.1162/neco.1991.3.1.79, a gate over given experts
    Cost: M·D + M parameters, 2·M·D FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.gate = SampleAlpha(len(modalities), width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        weight = renormalised(self.gate(tokens, mask).unsqueeze(-1), mask.to(tokens.dtype))
        return one_branch((weight.unsqueeze(-1) * tokens).sum(1), mask.any(1))
