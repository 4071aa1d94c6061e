"""The contract of a balancing method, and the method that does nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.model import FusionModel
from crossfade.targets.base import Target

Truth = dict[str, Tensor]


class Balance(nn.Module):
    """A part of the training that is no part of the model: it may hide modalities, change the loss and the gradients.

    A subclass is built as `Method(model, **yaml fields)`. What it learns or counts are its parameters and buffers, so
    checkpoints and resumed runs have them; the model that a run leaves behind does not know of it. It must not keep
    `model` as a submodule. Several processes must decide alike: a number that steers gradients goes through `shared`.
    """

    active = True

    def __init__(self, model: FusionModel) -> None:
        super().__init__()
        self.modalities = model.modalities

    def hide(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What fusion is given in training, of tokens (B, M, K, D) and mask (B, M, K); one modality at least stays."""
        return tokens, mask

    def objective(self, loss: Tensor, model: FusionModel, tokens: Tensor, mask: Tensor, truth: Truth) -> Tensor:
        """What is minimised, of the fused loss and the embeddings that gave it."""
        return loss

    def adjust(self, model: FusionModel) -> None:
        """Change the gradients, clipped already, just before the optimiser's step."""

    def validated(self, model: FusionModel, tokens: Tensor, mask: Tensor, truth: Truth) -> None:
        """Look at one validation batch, without gradients."""

    def epoch_ended(self, epoch: int) -> None:
        """After the validation of an epoch, counted from 0."""


class NoBalance(Balance):
    """The fused loss as it is."""

    active = False


def total_loss(model: FusionModel, outputs: dict[str, Tensor], truth: Truth) -> Tensor:
    """Σ_t w_t·L_t over the targets."""
    parts = []
    for name, output in outputs.items():
        target = model.targets[name]
        assert isinstance(target, Target)
        parts.append(target.spec.weight * target.loss(output, truth[name]))
    return torch.stack(parts).sum()


def alone_losses(model: FusionModel, tokens: Tensor, mask: Tensor, truth: Truth) -> tuple[Tensor, Tensor]:
    """The loss of the model when it is given one modality only, (M,), and in how many samples each is there, (M,).

    One pass of fusion, core and heads over M·B samples, the encoders' work done once. A sample without the modality
    goes through with what it has, and its truth counts as unknown.
    """
    modalities = mask.shape[1]
    here = mask.any(-1).transpose(0, 1)  # (M, B)
    only = torch.eye(modalities, dtype=torch.bool, device=mask.device)[:, None, :, None] & mask
    kept = torch.where(here[..., None, None], only, mask)
    spread = tokens.expand(modalities, *tokens.shape).masked_fill(~kept.unsqueeze(-1), 0.0)
    outputs = model.decide(spread.flatten(0, 1), kept.flatten(0, 1))
    losses = []
    for m in range(modalities):
        own = {name: output.unflatten(0, here.shape)[m] for name, output in outputs.items()}
        losses.append(total_loss(model, own, {name: known_where(here[m], truth[name]) for name in own}))
    return torch.stack(losses), here.sum(1)


def known_where(here: Tensor, truth: Tensor) -> Tensor:
    """The truth (B, …), unknown (NaN or −1) where `here` (B,) is False."""
    unknown = float("nan") if truth.is_floating_point() else -1
    return truth.masked_fill(~here.view(-1, *[1] * (truth.ndim - 1)), unknown)


def of_others(values: Tensor, counts: Tensor) -> Tensor:
    """Per modality the mean of the other modalities' values, of those that count; its own where no other does."""
    used = (counts > 0).to(values.dtype)
    total, number = (values * used).sum(), used.sum()
    others = number - used
    return torch.where(others > 0, (total - values * used) / others.clamp(min=1), values)
