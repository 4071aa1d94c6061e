"""FiLM: each modality is scaled and shifted by the others."""

from __future__ import annotations

from torch import Tensor

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import (
    others_mean,
    present_mean,
)
from crossfade.layers.per_modality import PerModality


class FiLM(Fusion):
    """z = mean_{m present}((1 + γ_m) ⊙ x_m + β_m), (γ_m, β_m) = W_m·c_m + b_m: (B, M, K, D) → (B, 1, K, D).

    Each modality is modulated by the others: c_m is the mean over the others present of the means of their tokens.

    Absent: left out of the mean and of the others' c; alone, a modality has c = 0
    Source: Perez et al. 2018, arXiv:1709.07871, eq. 1 and 2
    Cost: 2·M·D² + 2·M·D parameters, 4·M·D² FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.condition = PerModality(len(modalities), width, 2 * width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        scale, shift = self.condition(others_mean(tokens, mask).unsqueeze(2)).chunk(2, -1)
        return one_branch(present_mean((1 + scale) * tokens + shift, mask), mask.any(1))
