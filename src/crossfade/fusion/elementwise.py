"""Element by element: weighted, sum, mean, max, product.

Each works per token position k on the modalities whose token is there; a position without any stays masked.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch


class Weighted(Fusion):
    """z = Σ_m α_m·x_m, the crossfade itself: z = α·x_1 + (1 − α)·x_2 for two modalities.

    α lies on the simplex over the modalities and is renormalised over those present; if those present all have
    weight 0 they share evenly. `alpha`: {modality: weight}, None (even), or "learned" (α = softmax(θ), θ trained
    from 0). (B, M, K, D) → (B, 1, K, D).
    """

    fixed: Tensor

    def __init__(
        self,
        modalities: tuple[str, ...],
        width: int,
        tokens: int,
        alpha: dict[str, float] | str | None = None,
    ) -> None:
        super().__init__(modalities, width, tokens)
        self.learned = alpha == "learned"
        if self.learned:
            self.theta = nn.Parameter(torch.zeros(len(modalities)))
        else:
            even = 1 / len(modalities)
            weights = [even if not isinstance(alpha, dict) else alpha.get(m, 0.0) for m in modalities]
            self.register_buffer("fixed", torch.tensor(weights))

    @property
    def alpha(self) -> Tensor:
        """α (M,), non-negative, summing to 1."""
        return self.theta.softmax(0) if self.learned else self.fixed

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        here = mask.to(tokens.dtype)
        weight = self.alpha.to(tokens.dtype)[:, None] * here
        total, count = weight.sum(1, keepdim=True), here.sum(1, keepdim=True).clamp(min=1)
        some = total > 0
        weight = torch.where(some, weight / torch.where(some, total, torch.ones_like(total)), here / count)
        return one_branch((weight.unsqueeze(-1) * tokens).sum(1), mask.any(1))


class Sum(Fusion):
    """z = Σ_{m present} x_m: (B, M, K, D) → (B, 1, K, D)."""

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        return one_branch(tokens.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1), mask.any(1))


class Mean(Fusion):
    """z = Σ_{m present} x_m / |present|: (B, M, K, D) → (B, 1, K, D)."""

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        count = mask.sum(1).clamp(min=1).unsqueeze(-1).to(tokens.dtype)
        return one_branch(tokens.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1) / count, mask.any(1))


class Max(Fusion):
    """z_d = max_{m present} x_{m,d}: (B, M, K, D) → (B, 1, K, D)."""

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        lowest = torch.finfo(tokens.dtype).min
        seen = mask.any(1)
        highest = tokens.masked_fill(~mask.unsqueeze(-1), lowest).amax(1)
        return one_branch(highest.masked_fill(~seen.unsqueeze(-1), 0.0), seen)


class Product(Fusion):
    """z = ∏_{m present} x_m (Hadamard; an absent modality is the neutral 1): (B, M, K, D) → (B, 1, K, D)."""

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        seen = mask.any(1)
        product = tokens.masked_fill(~mask.unsqueeze(-1), 1.0).prod(1)
        return one_branch(product.masked_fill(~seen.unsqueeze(-1), 0.0), seen)
