"""Attention rollout: from which places of its input each encoder's output is made, as far as attention tells."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from crossfade.batch import Batch
from crossfade.core.transformer import Transformer
from crossfade.encoders.base import Encoder
from crossfade.model import FusionModel


def rollout(layers: Tensor) -> Tensor:
    """A_T ⋯ A_1 with A_t = ½·W_t + ½·I: attention (B, T, N, N), rows summing to 1 → (B, N, N), rows summing to 1.

    Row i says of which input tokens token i of the last layer is made; I is the residual connection. Abnar & Zuidema
    2020, arXiv:2005.00928, eq. 1.
    """
    same = torch.eye(layers.shape[-1], device=layers.device, dtype=layers.dtype)
    found = same.expand(len(layers), -1, -1)
    for layer in layers.unbind(1):
        found = (0.5 * layer + 0.5 * same) @ found
    return found


@dataclass(frozen=True)
class RolledOut:
    """By modality the share of each place (n, L), and where there is none, why; `core` (n, L): of each fused token.

    `tokens` names the fused tokens: by modality where a strategy hands on each modality's own, else by number.
    """

    places: dict[str, Tensor]
    lacking: dict[str, str]
    core: Tensor | None
    tokens: list[str]


@torch.no_grad()
def attention_rollout(model: FusionModel, batch: Batch) -> RolledOut:
    """The rollout of every encoder whose tokens are places and attend to each other, and of the core.

    A place's share is Σ_i share_i·rollout_il, with the share of the last layer's token i in what the encoder gives.
    It is the same whatever the target, and says nothing of the sign.
    """
    model = model.eval()
    places, lacking = {}, {}
    for column, name in enumerate(model.modalities):
        encoder = model.encoders[model.encoder_of[name]]
        assert isinstance(encoder, Encoder)
        here = batch.presence[:, column]
        x = batch.inputs[name]
        found = encoder.attention(torch.where(here.view(-1, *[1] * (x.ndim - 1)), x, torch.zeros_like(x)))
        if found is None:
            lacking[name] = f"no attention over its places in {type(encoder).__name__}"
            continue
        shares = (found.share.unsqueeze(1) @ rollout(found.layers)).squeeze(1)
        places[name] = shares[:, found.prefix :]
    return RolledOut(places, lacking, *_of_core(model, batch, lacking))


def _of_core(model: FusionModel, batch: Batch, lacking: dict[str, str]) -> tuple[Tensor | None, list[str]]:
    """What CLS is made of, of each fused token; None, and why, where the core does not attend over several."""
    if not isinstance(model.core, Transformer):
        lacking["core"] = f"no attention in {type(model.core).__name__}"
        return None, []
    embedded = model.embed(batch.inputs, batch.presence)
    fused = model.fusion(*embedded)
    _, branches, length, _ = fused.tokens.shape
    if branches > 1:
        lacking["core"] = f"{type(model.fusion).__name__} gives it each modality alone"
    elif length == 1:
        lacking["core"] = f"one token comes out of {type(model.fusion).__name__}: nothing to choose from"
    if branches > 1 or length == 1:
        return None, []
    each = embedded[0].shape[2]
    names = [f"token {i}" for i in range(length)]
    if length == len(model.modalities) * each:
        names = [m if each == 1 else f"{m} {k}" for m in model.modalities for k in range(each)]
    return rollout(model.core.attention(fused.tokens[:, 0], fused.mask[:, 0]))[:, 0, 1:], names
