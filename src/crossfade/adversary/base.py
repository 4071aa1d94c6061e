"""The contract of adversarial training, and the plain training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from crossfade.adversary.attack import Inputs, Loss, radius_of
from crossfade.balance.base import total_loss
from crossfade.batch import Batch
from crossfade.data.scale import Scale
from crossfade.model import FusionModel


class Adversary:
    """Trains on x′ = attack(x) instead of x: min_θ E[ max_{|x′−x| ≤ ε·sd} L(θ, x′) ], in `share` of the samples.

    Madry et al. 2018 (arXiv:1706.06083), eq. 2.1. With a share below 1 each sample is perturbed with that probability,
    so that the expected loss is share·L(x′) + (1 − share)·L(x): the mixture of Goodfellow et al. 2015
    (arXiv:1412.6572), section 6.

    What is perturbed are the inputs, all modalities of a sample at once: it is in the inputs that an attacker, or
    `crossfade stress`, would perturb it. ε is in standard deviations of the training split. Texts, and modalities
    whose frozen features are computed once, stay as they are. The gradients are those of the model in evaluation mode:
    statistics of batch norms learn from no attack's passes.

    A subclass is built as `Attack(scales: {modality: Scale}, **yaml fields)` and gives `attack`.
    """

    def __init__(self, scales: Mapping[str, Scale], epsilon: float, share: float) -> None:
        self.scales, self.epsilon, self.share = dict(scales), epsilon, share

    def perturb(self, model: FusionModel, batch: Batch) -> Batch:
        """The batch that is trained on; its presence, truth and ids are the same."""
        scales = {name: scale for name, scale in self.scales.items() if name in batch.inputs}
        x = {name: batch.inputs[name] for name in scales}
        chosen = torch.rand(len(batch), device=batch.presence.device) < self.share
        radius = {
            name: radius_of(x[name], batch.presence[:, model.modalities.index(name)] & chosen, scale, self.epsilon)
            for name, scale in scales.items()
        }

        def loss(moved: Inputs) -> Tensor:
            outputs = model({**batch.inputs, **moved}, batch.presence, batch.features)
            return total_loss(model, outputs, batch.truth)

        with evaluating(model):
            moved = self.attack(loss, x, radius, scales)
        return replace(batch, inputs={**batch.inputs, **moved})

    def attack(self, loss: Loss, x: Inputs, radius: Inputs, scales: Mapping[str, Scale]) -> dict[str, Tensor]:
        """The perturbed inputs."""
        raise NotImplementedError


class NoAdversary(Adversary):
    """The samples as they are."""

    def __init__(self, scales: Mapping[str, Scale] | None = None) -> None:
        super().__init__(scales or {}, 0.0, 0.0)

    def perturb(self, model: FusionModel, batch: Batch) -> Batch:
        return batch


@contextmanager
def evaluating(model: FusionModel) -> Iterator[None]:
    """Within, the model is in evaluation mode."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
