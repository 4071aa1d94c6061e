"""Gates: gmu, film, mmtm, highway."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import (
    masked_softmax,
    others_mean,
    present_mean,
    side_by_side,
    token_mean,
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
