"""What several strategies are made of: means, softmaxes and weights over the modalities that are present."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_softmax(score: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Softmax over the places where `mask` is True, 0 elsewhere; 0 throughout where it is True nowhere."""
    share = score.masked_fill(~mask, torch.finfo(score.dtype).min).softmax(dim)
    return share.masked_fill(~mask, 0.0)


def present_mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """Σ_{m present} x_m / |present| at each position: tokens (B, M, K, D), mask (B, M, K) → (B, K, D)."""
    here = mask.unsqueeze(-1)
    return tokens.masked_fill(~here, 0.0).sum(1) / here.sum(1).clamp(min=1).to(tokens.dtype)


def others_mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """What a modality sees of the others: c_m = mean of x̄_j over the present j ≠ m, (B, M, D); 0 where there is none.

    x̄_j is the mean of modality j's tokens. tokens (B, M, K, D), mask (B, M, K).
    """
    pooled = token_mean(tokens, mask)
    here = mask.any(-1, keepdim=True).to(tokens.dtype)
    total, count = pooled.sum(1, keepdim=True) - pooled, here.sum(1, keepdim=True) - here
    return total / count.clamp(min=1)


def token_mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """x̄_m, the mean of a modality's tokens, 0 where it is absent: (B, M, K, D) → (B, M, D)."""
    here = mask.unsqueeze(-1)
    return tokens.masked_fill(~here, 0.0).sum(2) / here.sum(2).clamp(min=1).to(tokens.dtype)


def renormalised(weight: Tensor, here: Tensor) -> Tensor:
    """α over the modalities that are here: weight, broadcast to here (B, M, …) of 0 and 1, divided by its sum over M.

    Where all that are here have weight 0 they share evenly.
    """
    weight = weight * here
    total, count = weight.sum(1, keepdim=True), here.sum(1, keepdim=True).clamp(min=1)
    some = total > 0
    return torch.where(some, weight / torch.where(some, total, torch.ones_like(total)), here / count)


def side_by_side(tokens: Tensor, mask: Tensor, absent: Tensor) -> Tensor:
    """[x_1; …; x_M] with the vector a_m in the place of an absent x_m: (B, M, K, D), a (M, 1, D) → (B, K, M·D)."""
    return torch.where(mask.unsqueeze(-1), tokens, absent.to(tokens.dtype)).transpose(1, 2).flatten(2)
