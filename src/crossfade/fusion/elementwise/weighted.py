"""The formula itself: a blend with weights α, given or learned."""

from __future__ import annotations

from torch import Tensor

from crossfade.fusion.base import Fused, one_branch
from crossfade.fusion.layers import renormalised
from crossfade.fusion.simplex import WithAlpha


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
