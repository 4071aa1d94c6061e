"""MMTM: squeeze and excite across modalities."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import (
    present_mean,
    token_mean,
)


class MMTM(Fusion):
    """z = mean_{m present}(2·σ(V_m·s + c_m) ⊙ x_m), s = ReLU(W·[x̄_1; …; x̄_M] + b): (B, M, K, D) → (B, 1, K, D).

    Squeeze and excite across modalities; x̄_m is the mean of m's tokens. s has H = max(1, ⌊M·D / `reduction`⌋)
    features.

    Absent: x̄_m = 0; left out of the mean
    Source: Joze et al. 2020, arXiv:1911.08670, section 3; the ReLU as in its authors' code
    Cost: 2·M·D·H + H + M·D parameters, 4·M·D·H FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int, reduction: int = 4) -> None:
        super().__init__(modalities, width, tokens)
        many = len(modalities)
        hidden = max(1, many * width // reduction)
        self.squeeze = nn.Linear(many * width, hidden)
        self.excite = nn.Linear(hidden, many * width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        squeezed = torch.relu(self.squeeze(token_mean(tokens, mask).flatten(1)))
        gate = 2 * torch.sigmoid(self.excite(squeezed)).unflatten(-1, (len(self.modalities), 1, -1))
        return one_branch(present_mean(gate * tokens, mask), mask.any(1))
