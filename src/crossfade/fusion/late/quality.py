"""Decisions weighted by the quality that the sample's tokens let one expect."""

from __future__ import annotations

from torch import Tensor

from crossfade.fusion.late.branches import Branches
from crossfade.fusion.simplex import SampleAlpha


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
