"""Multiplicative interactions: each modality's weights depend on the others."""

from __future__ import annotations

from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import others_mean, present_mean
from crossfade.layers.per_modality import PerModality


class Multiplicative(Fusion):
    """z = mean_{m present}(Σ_h c_{m,h}·(W_{m,h}·x_m + u_{m,h}) + V_m·x_m + b_m): (B, M, K, D) → (B, 1, K, D).

    Multiplicative interactions cᵀ𝕎x + cᵀU + Vx + b of each modality with its context: c_m, `hidden` = H features, is
    a linear map P of the mean over the others present of the means of their tokens.

    Absent: left out of the mean and of the others' c; alone, a modality has c = 0
    Source: Jayakumar et al. 2020, ICLR (Multiplicative interactions and where to find them), eq. 1
    Cost: M·H·D² + M·H·D + M·D² + M·D + H·D parameters, 2·M·(K·H·D² + K·D² + H·D) FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int, hidden: int = 8) -> None:
        super().__init__(modalities, width, tokens)
        self.hidden = hidden
        self.context = nn.Linear(width, hidden, bias=False)
        self.bilinear = PerModality(len(modalities), width, hidden * width)
        self.linear = PerModality(len(modalities), width, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        context = self.context(others_mean(tokens, mask))[:, :, None, :, None]
        each = (context * self.bilinear(tokens).unflatten(-1, (self.hidden, -1))).sum(-2) + self.linear(tokens)
        return one_branch(present_mean(each, mask), mask.any(1))
