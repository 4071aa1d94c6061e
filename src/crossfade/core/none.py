"""No core: the ablation that shows what the Transformer adds."""

from __future__ import annotations

from torch import Tensor, nn

from crossfade.core.base import Representation
from crossfade.layers.masking import masked_mean


class NoCore(nn.Module):
    """h(z) = mean of the tokens that count: tokens (B, L, D), mask (B, L) → Representation."""

    def __init__(self, width: int, length: int) -> None:
        super().__init__()

    def forward(self, tokens: Tensor, mask: Tensor) -> Representation:
        return Representation(masked_mean(tokens, mask), tokens, mask)
