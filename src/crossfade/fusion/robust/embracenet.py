"""EmbraceNet: each element is drawn from one of the modalities that are present."""

from __future__ import annotations

import torch
from torch import Tensor

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import present_mean
from crossfade.layers.draws import uniform
from crossfade.layers.per_modality import PerModality


class EmbraceNet(Fusion):
    """z_d = ReLU(W_m·x_m + b_m)_d with m drawn evenly among those present, for each d: (B, M, K, D) → (B, 1, K, D).

    Drawn in training only; evaluation takes the expectation, the mean over those present. `sampling` is the share of
    the features that training draws (1: all, as in the paper; 0: none).

    Absent: never drawn
    Source: Choi & Lee 2019, arXiv:1904.09078, section 3
    Cost: M·D² + M·D parameters, 2·K·M·D² FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int, sampling: float = 1.0) -> None:
        super().__init__(modalities, width, tokens)
        self.sampling = sampling
        self.dock = PerModality(len(modalities), width, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        docked = torch.relu(self.dock(tokens))
        z = present_mean(docked, mask)
        if self.training and self.sampling > 0:
            # the largest of even draws is each of those present equally often
            lot = uniform(docked).masked_fill(~mask.unsqueeze(-1), -1.0)
            drawn = docked.gather(1, lot.argmax(1, keepdim=True)).squeeze(1)
            z = torch.where(uniform(z) < self.sampling, drawn, z)
        return one_branch(z, mask.any(1))
