"""No core: the ablation that shows what the Transformer adds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.core.base import Representation
from crossfade.masking import masked_mean


class NoCore(nn.Module):
    """Pooled tokens and nothing else: tokens (B, L, D), mask (B, L) → Representation.

    `pool: mean` is h(z) = mean of the tokens that count. On a grid a thing in one of g² cells is lost in their mean:
    `pool: max` takes the largest value of each feature instead.
    """

    def __init__(self, width: int, length: int, pool: str = "mean") -> None:
        super().__init__()
        self.pool = pool

    def forward(self, tokens: Tensor, mask: Tensor) -> Representation:
        if self.pool == "mean":
            return Representation(masked_mean(tokens, mask), tokens, mask)
        lowest = torch.finfo(tokens.dtype).min
        largest = tokens.masked_fill(~mask.unsqueeze(-1), lowest).amax(-2)
        return Representation(largest.masked_fill(~mask.any(-1, keepdim=True), 0.0), tokens, mask)
