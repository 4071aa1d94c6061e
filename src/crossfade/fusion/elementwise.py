"""Element by element: weighted, adaptive, sum, mean, max, product.

Each works per token position k on the modalities whose token is there; a position without any stays masked.
"""

from __future__ import annotations

import torch
from torch import Tensor

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import renormalised
from crossfade.fusion.simplex import SampleAlpha, WithAlpha


class Weighted(WithAlpha):
    """z = Σ_m α_m·x_m: (B, M, K, D) → (B, 1, K, D).

    The crossfade itself: z = α·x_1 + (1 − α)·x_2 for two modalities. α lies on the simplex over the modalities and is
    renormalised over those present; if those present all have weight 0 they share evenly. `alpha`: {modality:
    weight}, None (even), or "learned" (α = softmax(θ), θ trained from 0; then M parameters).

    Absent: left out, α renormalised over those present
    Source: the linear opinion pool, on features
    Cost: 0 parameters, 0 FLOPs
    """

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        here = mask.to(tokens.dtype)
        weight = renormalised(self.alpha.to(tokens.dtype)[:, None], here)
        return one_branch((weight.unsqueeze(-1) * tokens).sum(1), mask.any(1))


class Adaptive(Fusion):
    """z = Σ_m α_m(x)·x_m, α(x) = softmax_{m present}(w_m·x̄_m + b_m): (B, M, K, D) → (B, 1, K, D).

    The α of each sample, from the mean x̄_m of each modality's tokens; the same at all positions, and renormalised at
    a position over the modalities that have it.

    Absent: left out of the softmax
    Source: Jacobs et al. 1991, doi:10.1162/neco.1991.3.1.79, a gate over given experts
    Cost: M·D + M parameters, 2·M·D FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.gate = SampleAlpha(len(modalities), width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        weight = renormalised(self.gate(tokens, mask).unsqueeze(-1), mask.to(tokens.dtype))
        return one_branch((weight.unsqueeze(-1) * tokens).sum(1), mask.any(1))


class Sum(Fusion):
    """z = Σ_{m present} x_m: (B, M, K, D) → (B, 1, K, D).

    Absent: left out
    Source: Baltrušaitis et al. 2019, arXiv:1705.09406, section 3.1 (joint representations)
    Cost: 0 parameters, 0 FLOPs
    """

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        return one_branch(tokens.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1), mask.any(1))


class Mean(Fusion):
    """z = Σ_{m present} x_m / |present|: (B, M, K, D) → (B, 1, K, D).

    Absent: left out of sum and count
    Source: Havaei et al. 2016, arXiv:1607.05194 (HeMIS), its first moment
    Cost: 0 parameters, 0 FLOPs
    """

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        count = mask.sum(1).clamp(min=1).unsqueeze(-1).to(tokens.dtype)
        return one_branch(tokens.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1) / count, mask.any(1))


class Max(Fusion):
    """z_d = max_{m present} x_{m,d}: (B, M, K, D) → (B, 1, K, D).

    Absent: left out
    Source: Su et al. 2015, arXiv:1505.00880 (view pooling)
    Cost: 0 parameters, 0 FLOPs
    """

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        lowest = torch.finfo(tokens.dtype).min
        return one_branch(tokens.masked_fill(~mask.unsqueeze(-1), lowest).amax(1), mask.any(1))


class Product(Fusion):
    """z = ∏_{m present} x_m: (B, M, K, D) → (B, 1, K, D).

    Element by element (Hadamard).

    Absent: the neutral 1
    Source: Kim et al. 2017, arXiv:1610.04325, eq. 3 (Hadamard product), without its projections
    Cost: 0 parameters, 0 FLOPs
    """

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        return one_branch(tokens.masked_fill(~mask.unsqueeze(-1), 1.0).prod(1), mask.any(1))
