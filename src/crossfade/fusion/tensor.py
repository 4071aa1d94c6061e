"""Products of the modalities: tfn, lmf, mfb, mutan, multiplicative."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from crossfade.errors import UserError
from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.budget import outer_product_problem
from crossfade.fusion.layers import others_mean, present_mean
from crossfade.layers.per_modality import PerModality


def product(factors: Tensor) -> Tensor:
    """∏ over dim 1, one factor after the other: the derivative of `prod` looks for zeros, at a cost."""
    first, *rest = factors.unbind(1)
    for factor in rest:
        first = first * factor
    return first


class TFN(Fusion):
    """z = W·vec(⊗_m [U_m·x_m + b_m; 1]) + b: (B, M, K, D) → (B, 1, K, D).

    The tensor fusion network: all products of features of all modalities, of every order. Each modality is first
    brought to `hidden` = H features, since W has (H + 1)^M·D weights. Raises UserError where they would take more
    than `memory_gb` GiB in training (weights, gradients and AdamW's two moments in float32).

    Absent: (0, …, 0, 1), which leaves the products of the others
    Source: Zadeh et al. 2017, arXiv:1707.07250, section 4.2
    Cost: M·D·H + M·H + (H + 1)^M·D + D parameters, 2·K·(M·D·H + (H + 1)^M·D) FLOPs
    """

    def __init__(
        self, modalities: tuple[str, ...], width: int, tokens: int, hidden: int = 8, memory_gb: float = 1.0
    ) -> None:
        super().__init__(modalities, width, tokens)
        problem = outer_product_problem(len(modalities), width, hidden, memory_gb)
        if problem:
            raise UserError(problem)
        self.reduce = PerModality(len(modalities), width, hidden)
        products = (hidden + 1) ** len(modalities)
        self.unfolded = tokens * products
        self.project = nn.Linear(products, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        reduced = self.reduce(tokens).masked_fill(~mask.unsqueeze(-1), 0.0)
        outer, *rest = pad(reduced, (0, 1), value=1.0).unbind(1)
        for factor in rest:
            outer = (outer.unsqueeze(-1) * factor.unsqueeze(-2)).flatten(-2)
        return one_branch(self.project(outer), mask.any(1))


class LMF(Fusion):
    """z = Σ_r w_r·∏_m (U_{m,r}·x_m + c_{m,r}) + b: (B, M, K, D) → (B, 1, K, D).

    Low-rank multimodal fusion: a tensor fusion network whose W is a sum of `rank` = R outer products, never built. c
    is the row of U for the appended 1; it starts at 1, so that no modality begins by wiping out the others.

    Absent: x_m = 0 beside the appended 1: the factor is c_{m,r}
    Source: Liu et al. 2018, arXiv:1806.00064, eq. 8; the weights w_r and b as in its authors' code
    Cost: M·R·D² + M·R·D + R + D parameters, 2·K·M·R·D² FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int, rank: int = 4) -> None:
        super().__init__(modalities, width, tokens)
        self.rank = rank
        self.factors = PerModality(len(modalities), width, rank * width)
        assert self.factors.bias is not None
        nn.init.ones_(self.factors.bias)
        self.weight = nn.Parameter(torch.randn(rank) * rank**-0.5)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        z = product(self.factors(tokens.masked_fill(~mask.unsqueeze(-1), 0.0))).unflatten(-1, (self.rank, -1))
        return one_branch((self.weight[:, None] * z).sum(-2) + self.bias, mask.any(1))


class MFB(Fusion):
    """z = √D·y/‖y‖, y = sign(s)·√|s|, s = Σ_r ∏_m U_{m,r}·x_m: (B, M, K, D) → (B, 1, K, D).

    Multimodal factorised bilinear pooling with `rank` = R factors a feature. √D keeps a token's size; 10⁻⁶ under the
    root keeps its derivative finite.

    Absent: the neutral factor 1
    Source: Yu et al. 2017, arXiv:1708.01471, eq. 3, with power and ℓ2 normalisation
    Cost: M·R·D² parameters, 2·K·M·R·D² FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int, rank: int = 4) -> None:
        super().__init__(modalities, width, tokens)
        self.rank = rank
        self.factors = PerModality(len(modalities), width, rank * width, bias=False)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        factors = self.factors(tokens).masked_fill(~mask.unsqueeze(-1), 1.0)
        summed = product(factors).unflatten(-1, (self.rank, -1)).sum(-2)
        rooted = summed.sign() * (summed.abs() + 1e-6).sqrt()
        return one_branch(nn.functional.normalize(rooted, dim=-1) * self.width**0.5, mask.any(1))


class MUTAN(Fusion):
    """z = W·Σ_r ∏_m (U_{m,r}·tanh(V_m·x_m + b_m)) + b: (B, M, K, D) → (B, 1, K, D).

    A Tucker decomposition of the bilinear tensor with a core of `rank` = R; each modality is first brought to `hidden`
    = H features.

    Absent: the neutral factor 1
    Source: Ben-Younes et al. 2017, arXiv:1705.06676, eq. 10 (the sum over r), between projections as in section 3
    Cost: M·D·H + M·H + M·R·H² + H·D + D parameters, 2·K·(M·D·H + M·R·H² + H·D) FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int, rank: int = 4, hidden: int = 32) -> None:
        super().__init__(modalities, width, tokens)
        self.rank = rank
        self.reduce = PerModality(len(modalities), width, hidden)
        self.factors = PerModality(len(modalities), hidden, rank * hidden, bias=False)
        self.project = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        factors = self.factors(torch.tanh(self.reduce(tokens))).masked_fill(~mask.unsqueeze(-1), 1.0)
        return one_branch(self.project(product(factors).unflatten(-1, (self.rank, -1)).sum(-2)), mask.any(1))


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
