"""Mean over the tokens that count."""

from __future__ import annotations

from torch import Tensor


def masked_mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """x̄ = Σ_l mask_l·x_l / max(1, Σ_l mask_l): tokens (B, L, D), mask (B, L) → (B, D)."""
    weight = mask.unsqueeze(-1).to(tokens.dtype)
    return (tokens * weight).sum(-2) / weight.sum(-2).clamp(min=1)
