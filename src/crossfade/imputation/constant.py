"""Values that do not depend on the sample: zeros, the mean, a learned token."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.imputation.base import Imputation
from crossfade.layers.processes import shared


class Zeros(Imputation):
    """v_m = 0, which is the mean of every embedded token over its features.

    What most published code does, often by accident: here it is said to be done.
    """

    def values(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return tokens.new_zeros(())


class Mean(Imputation):
    """v_mk = s_mk / n_m, the mean embedding of the training samples that have modality m.

        s ← momentum·s + Σ_{i in batch, m present} x_imk,   n ← momentum·n + #{i in batch, m present}

    A mean over a window of about 1/(1 − momentum) training batches, weighed by samples: the embedding moves while the
    encoders train, so that a mean over all of the training would be of encoders that are gone. Its length, unlike that
    of an embedding, is not √D. 0 until the modality was seen.
    """

    total: Tensor
    count: Tensor

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int, momentum: float = 0.9) -> None:
        super().__init__(modalities, width, tokens)
        self.momentum = momentum
        self.register_buffer("total", torch.zeros(len(modalities), tokens, width))
        self.register_buffer("count", torch.zeros(len(modalities), tokens, 1))

    def values(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.total / self.count.clamp(min=torch.finfo(self.count.dtype).tiny)

    @torch.no_grad()
    def observe(self, tokens: Tensor, mask: Tensor) -> None:
        here = mask.unsqueeze(-1)
        seen = tokens.masked_fill(~here, 0.0).to(self.total.dtype)
        self.total.mul_(self.momentum).add_(shared(seen.sum(0)))
        self.count.mul_(self.momentum).add_(shared(here.to(self.count.dtype).sum(0)))


class Learned(Imputation):
    """v_m = a_m, K trained tokens (K, D) for each modality, by the task's loss on samples that lack it.

    After Lee et al. 2023, arXiv:2303.03369 (missing-aware prompts), section 3. They start near 0, and stay there where
    no training sample lacks the modality: hide some with `absence=rate` or `balance=modality_dropout`.
    """

    needs_absence = True

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.absent = nn.Parameter(torch.randn(len(modalities), tokens, width) * 0.02)

    def values(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.absent
