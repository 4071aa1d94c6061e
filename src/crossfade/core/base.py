"""What a core returns."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Representation(NamedTuple):
    """pooled (B, D) for heads that say one thing of a sample; tokens (B, L, D) and mask (B, L) for dense ones."""

    pooled: Tensor
    tokens: Tensor
    mask: Tensor
