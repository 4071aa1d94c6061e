"""The contract of an imputation, and real masking, the one that puts nothing in an absent modality's place."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn


class Imputation(nn.Module):
    """Between embedding and fusion: tokens (B, M, K, D), mask (B, M, K) → the same, with absent modalities filled in.

        x_m ← v_m(x_present) where m is absent, and its mask becomes True

    so that fusion takes it for present. What is hidden later (modality dropout, a presence pattern of the evaluation)
    is absent, and imputed like what was never there. A sample that has nothing at all is imputed throughout. What
    stands in the place of an absent modality must not matter.

    A subclass is built as `Method(modalities: tuple[str, ...], width: int, tokens: int, **yaml fields)`, the modalities
    sorted by name, and gives `values`. As in a fusion: no control flow on values, no in-place change in `forward`.
    """

    needs_absence: ClassVar[bool] = False  # it learns from training samples that lack a modality

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__()
        self.modalities, self.width, self.tokens = modalities, width, tokens

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        absent = ~mask.any(-1, keepdim=True)
        known = tokens.masked_fill(~mask.unsqueeze(-1), 0.0)
        return torch.where(absent.unsqueeze(-1), self.values(known, mask).to(tokens.dtype), known), mask | absent

    def values(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """What absent modalities get, (B, M, K, D) or broadcast to it, of tokens that are 0 where the mask is False."""
        raise NotImplementedError

    def observe(self, tokens: Tensor, mask: Tensor) -> None:
        """Learn of one training batch, without gradients, before it is used."""

    def objective(self, loss: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """What is minimised, of the task's loss and what `embed` gave, before modality dropout hides any of it."""
        return loss


class NoImputation(Imputation):
    """Real masking: absent stays absent, and the fusion strategy says what that means."""

    def __init__(self, modalities: tuple[str, ...] = (), width: int = 0, tokens: int = 0) -> None:
        super().__init__(modalities, width, tokens)

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return tokens, mask
