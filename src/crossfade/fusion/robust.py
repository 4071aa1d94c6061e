"""Made for absence: embracenet, missing, posterior."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

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


class Missing(Fusion):
    """z = (y_1, …, y_M), one sequence, y_m = x_m + e_m, or a_m if absent: (B, M, K, D) → (B, 1, M·K, D).

    In the place of an absent modality stand learned tokens that the core attends to like any other.

    Absent: a learned token a_m
    Source: after Lee et al. 2023, arXiv:2303.03369 (missing-aware prompts), section 3
    Cost: 2·M·D parameters, 0 FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.length = len(modalities) * tokens
        self.identity = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)
        self.absent = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        here = tokens + self.identity.to(tokens.dtype)
        filled = torch.where(mask.unsqueeze(-1), here, self.absent.to(tokens.dtype))
        # a position that no modality has stays masked
        return one_branch(filled.flatten(1, 2), mask.any(1, keepdim=True).expand_as(mask).flatten(1))


class Posterior(Fusion):
    """z = Σ_m t_m ⊙ μ_m / (1 + Σ_m t_m), over those present: (B, M, K, D) → (B, 1, K, D).

    The mean of a product of Gaussian experts, N(μ_m, 1/t_m) for each modality and a prior N(0, 1): μ_m = W_m·x_m + b_m,
    precision t_m = softplus(V_m·x_m + c_m). The mean alone, in training too: no draw, no KL term.

    Absent: left out of the product
    Source: Wu & Goodman 2018, arXiv:1802.05335 (MVAE), eq. 4 (the product); its mean: section 2.1
    Cost: 2·M·D² + 2·M·D parameters, 4·K·M·D² FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.expert = PerModality(len(modalities), width, 2 * width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        mean, score = self.expert(tokens).chunk(2, -1)
        precision = softplus(score).masked_fill(~mask.unsqueeze(-1), 0.0)
        return one_branch((precision * mean).sum(1) / (1 + precision.sum(1)), mask.any(1))
