"""Prototypical modality rebalance."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from crossfade.balance.base import Balance, Truth, of_others
from crossfade.layers.masking import masked_mean
from crossfade.layers.processes import shared
from crossfade.model import FusionModel
from crossfade.targets.multiclass import MultiClass


class Prototypes(Balance):
    """Modalities that lag behind are pulled to the prototypes of the classes in their own embedding.

        p_m(c) = softmax_c(−‖x_m − μ_mc‖),   s_m = mean p_m(y),   ρ_m = mean_{n≠m} s_n / s_m
        L + weight·Σ_m clip(ρ_m − 1, 0, 1)·CE(p_m, y) − entropy·Σ_m clip(1/ρ_m − 1, 0, 1)·H(p_m)

    After Fan et al. 2023 (arXiv:2211.07089), eq. 7 (p), 8 (ρ), 9 to 11 and 13 (the loss), for any M: ρ compares with
    the mean of the others. The second term slows what is ahead, in the first `early` epochs. The prototypes μ are
    moving means of the batches; the paper moves them once an epoch, to the centroids of a subset (eq. 6 and 12). Only
    for multi-class targets; others keep their loss.
    """

    ready: Tensor
    epoch: Tensor

    def __init__(
        self, model: FusionModel, weight: float = 1.0, entropy: float = 0.1, early: int = 2, momentum: float = 0.9
    ) -> None:
        super().__init__(model)
        self.weight, self.entropy, self.early, self.momentum = weight, entropy, early, momentum
        self.classes = {n: len(t.classes) for n, t in model.targets.items() if isinstance(t, MultiClass)}
        self.register_buffer("epoch", torch.zeros((), dtype=torch.long))
        width: int = model.embeddings[self.modalities[0]].width  # type: ignore[assignment]
        for name, count in self.classes.items():
            self.register_buffer(f"prototypes_{name}", torch.zeros(len(self.modalities), count, width))
            self.register_buffer(f"seen_{name}", torch.zeros(len(self.modalities), count, dtype=torch.bool))

    def objective(self, loss: Tensor, model: FusionModel, tokens: Tensor, mask: Tensor, truth: Truth) -> Tensor:
        embedded = masked_mean(tokens, mask).transpose(0, 1)  # (M, B, D)
        here = mask.any(-1).transpose(0, 1)
        for name in self.classes:
            loss = loss + self._of_target(name, embedded, here, truth[name])
        return loss

    def _of_target(self, name: str, embedded: Tensor, here: Tensor, truth: Tensor) -> Tensor:
        prototypes, seen = self.get_buffer(f"prototypes_{name}"), self.get_buffer(f"seen_{name}")
        counts = here & (truth >= 0)  # (M, B)
        label = truth.clamp(min=0)
        self._move(prototypes, seen, embedded.detach(), counts, one_hot(label, prototypes.shape[1]))
        score = -torch.cdist(embedded, prototypes).masked_fill(~seen.unsqueeze(1), torch.inf)
        number = counts.sum(1).clamp(min=1)
        each = cross_entropy(score.flatten(0, 1), label.repeat(len(score)), reduction="none").view(counts.shape)
        pulled = (each * counts).sum(1) / number
        p = score.softmax(-1)
        unsure = (-(p * p.clamp(min=torch.finfo(p.dtype).tiny).log()).sum(-1) * counts).sum(1) / number
        with torch.no_grad():
            right = shared(((-each).exp() * counts).sum(1) / number)
            ratio = of_others(right, counts.sum(1)) / right.clamp(min=torch.finfo(right.dtype).tiny)
            lag, lead = (ratio - 1).clamp(0, 1), (1 / ratio.clamp(min=1e-6) - 1).clamp(0, 1)
            lead = lead * (self.epoch < self.early)
        return self.weight * (lag * pulled).sum() - self.entropy * (lead * unsure).sum()

    def _move(self, prototypes: Tensor, seen: Tensor, embedded: Tensor, counts: Tensor, classes: Tensor) -> None:
        """Moving means of each class's embeddings; a class that is seen the first time starts with its first mean."""
        member = classes.to(embedded.dtype) * counts.unsqueeze(-1)  # (M, B, C)
        number = shared(member.sum(1))
        mean = shared(member.transpose(1, 2) @ embedded) / number.clamp(min=1e-9).unsqueeze(-1)
        keep = torch.where(seen, self.momentum, 0.0).unsqueeze(-1)
        moved = keep * prototypes + (1 - keep) * mean
        now = (number > 0).unsqueeze(-1)
        prototypes.copy_(torch.where(now, moved, prototypes))
        seen.logical_or_(number > 0)

    def epoch_ended(self, epoch: int) -> None:
        self.epoch.fill_(epoch + 1)
