"""Modality dropout: whole modalities go missing at random in training."""

from __future__ import annotations

import torch
from torch import Tensor

from crossfade.balance.base import Balance
from crossfade.layers.draws import uniform
from crossfade.model import FusionModel


class ModalityDropout(Balance):
    """Each modality of each sample is hidden with probability `rate`, independently; one at least of those stays.

    Where all would go, one of those that were there is kept, each with the same probability. Without the scaling of
    ordinary dropout: an absent modality is absent (Neverova et al. 2016, arXiv:1501.00102, section 3.4, ModDrop).
    """

    def __init__(self, model: FusionModel, rate: float = 0.3) -> None:
        super().__init__(model)
        self.rate = rate

    def hide(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        here = mask.any(-1)  # (B, M)
        drawn = uniform(here, torch.get_default_dtype()).masked_fill(~here, -1.0)
        kept = (drawn >= self.rate) | (drawn == drawn.max(1, keepdim=True).values)
        mask = mask & kept.unsqueeze(-1)
        return tokens.masked_fill(~mask.unsqueeze(-1), 0.0), mask
