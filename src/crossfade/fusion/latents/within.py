"""A block that runs within each modality by itself."""

from __future__ import annotations

from torch import Tensor, nn


def within(block: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
    """The block on each modality's own tokens: (B, M, L, D), mask (B, M, L) → (B, M, L, D).

    An absent modality looks at its own zeros, since a softmax needs something; what comes out of it is to be masked.
    """
    seen = mask | ~mask.any(-1, keepdim=True)
    return block(x.flatten(0, 1), seen.flatten(0, 1)).unflatten(0, (-1, x.shape[1]))
