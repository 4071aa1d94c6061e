"""Gated multimodal units."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import (
    masked_softmax,
    side_by_side,
)
from crossfade.layers.per_modality import PerModality


class GMU(Fusion):
    """z = Σ_m g_m ⊙ tanh(W_m·x_m + b_m), g = softmax_{m present}(U·[x_1; …; x_M] + c): (B, M, K, D) → (B, 1, K, D).

    The gated multimodal unit. The softmax is taken feature by feature; of two modalities its gates are σ(·) and
    1 − σ(·), as in the paper.

    Absent: its gate is 0; in the gates' input stands a learned vector a_m
    Source: Arevalo et al. 2017, arXiv:1702.01992, section 3.1 (equations without numbers)
    Cost: M²·D² + M·D² + 3·M·D parameters, 2·K·(M²·D² + M·D²) FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        many = len(modalities)
        self.absent = nn.Parameter(torch.zeros(many, 1, width))
        self.feature = PerModality(many, width, width)
        self.gate = nn.Linear(many * width, many * width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        score = self.gate(side_by_side(tokens, mask, self.absent)).unflatten(-1, (len(self.modalities), -1))
        gate = masked_softmax(score.transpose(1, 2), mask.unsqueeze(-1), 1)
        return one_branch((gate * torch.tanh(self.feature(tokens))).sum(1), mask.any(1))
