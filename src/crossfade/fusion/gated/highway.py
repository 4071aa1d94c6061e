"""Highway: the mean is carried past a joint layer, as far as a gate lets it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import (
    present_mean,
    side_by_side,
)


class Highway(Fusion):
    """z = t ⊙ tanh(W·f + b) + (1 − t) ⊙ x̄, t = σ(U·f + c), f = [x_1; …; x_M]: (B, M, K, D) → (B, 1, K, D).

    The mean x̄ of those present is carried past the joint layer; c starts at −1, so that at first most of it is.

    Absent: in f a learned vector a_m; left out of x̄
    Source: Srivastava et al. 2015, arXiv:1505.00387, eq. 3
    Cost: 2·M·D² + M·D + 2·D parameters, 4·K·M·D² FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.absent = nn.Parameter(torch.zeros(len(modalities), 1, width))
        self.joint = nn.Linear(len(modalities) * width, width)
        self.gate = nn.Linear(len(modalities) * width, width)
        nn.init.constant_(self.gate.bias, -1.0)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        joined = side_by_side(tokens, mask, self.absent)
        gate = torch.sigmoid(self.gate(joined))
        z = gate * torch.tanh(self.joint(joined)) + (1 - gate) * present_mean(tokens, mask)
        return one_branch(z, mask.any(1))
