"""Auxiliary heads: each modality must tell the truth by itself, too."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.balance.base import Balance, Truth, known_where
from crossfade.core.base import Representation
from crossfade.layers.masking import masked_mean
from crossfade.model import FusionModel
from crossfade.targets import make_target
from crossfade.targets.base import Target


class AuxiliaryHeads(Balance):
    """L + weight/M·Σ_m L_m: a head per modality and target reads that modality's embedding alone.

    Deep supervision (Lee et al. 2015, arXiv:1409.5185, eq. 3) at the place where the modalities meet. The heads are
    those of the targets, of their own weights, and are thrown away after training.
    """

    def __init__(self, model: FusionModel, weight: float = 1.0) -> None:
        super().__init__(model)
        self.weight = weight
        self.heads = nn.ModuleDict({m: nn.ModuleDict(self._heads(model, m)) for m in self.modalities})

    @staticmethod
    def _heads(model: FusionModel, modality: str) -> dict[str, Target]:
        width: int = model.embeddings[modality].width  # type: ignore[assignment]
        targets = [target for target in model.targets.values() if isinstance(target, Target)]
        return {target.spec.name: make_target(target.spec, target.fitted, width) for target in targets}

    def objective(self, loss: Tensor, model: FusionModel, tokens: Tensor, mask: Tensor, truth: Truth) -> Tensor:
        extra = []
        for column, modality in enumerate(self.modalities):
            own, here = tokens[:, column], mask[:, column]
            representation = Representation(masked_mean(own, here), own, here)
            for name, head in self.heads[modality].items():  # type: ignore[operator]
                output = head(representation)
                extra.append(head.spec.weight * head.loss(output, known_where(here.any(-1), truth[name])))
        return loss + self.weight / len(self.modalities) * torch.stack(extra).sum()
