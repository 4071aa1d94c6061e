"""A layer with weights of its own for each modality."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PerModality(nn.Module):
    """y_m = W_m·x_m + b_m: (…, M, K, D) → (…, M, K, D')."""

    bias: nn.Parameter | None

    def __init__(self, modalities: int, source: int, width: int, bias: bool = True) -> None:
        super().__init__()
        bound = source**-0.5  # as nn.Linear starts
        self.weight = nn.Parameter(torch.empty(modalities, width, source).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(modalities, width).uniform_(-bound, bound)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("...mkd,med->...mke", x, self.weight)
        return y if self.bias is None else y + self.bias.unsqueeze(-2)
