"""The contract of an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from crossfade.specs import ModalitySpec


class Attention(NamedTuple):
    """layers (B, T, N, N): each layer's attention, the mean of its heads, a token's row summing to 1.

    share (B, N): how much of what comes out is made of each of the last layer's tokens, summing to 1. The first
    `prefix` tokens stand for no place of the input.
    """

    layers: Tensor
    share: Tensor
    prefix: int = 0


class Encoder(nn.Module):
    """Base of all encoders: `forward(x) -> (tokens (B, L, D_e), mask (B, L))`, the mask True where a token counts.

    A subclass is built as `Encoder(spec=ModalitySpec, fitted=dict, **yaml fields)`; `fitted` is what the
    modality's transform learned from the training split (vocabulary, categories, number of channels). Encoders of
    images and points are also given `grid` where the modality is aligned with a dense target: they then return g²
    tokens, one per cell, row by row. It sets
    `width` (D_e), and `pretrained` where its weights were not drawn here: those train at `optim.pretrained_lr`.
    A frozen encoder takes no gradient and stays in evaluation mode, so that its features can be computed once.
    """

    width: int
    pretrained: bool = False
    projected: bool = True  # False: tokens are of the run's width and normalised already, the embedding adds no map
    chunk: int = 64  # samples that are encoded at once where features are computed once
    part: Mapping[str, Any] = {}  # what the config says of it, if it is frozen; `build_model` fills it in

    def __init__(self, spec: ModalitySpec, fitted: dict[str, Any], frozen: bool) -> None:
        super().__init__()
        self.spec = spec
        self.fitted = fitted
        self.frozen = frozen

    @staticmethod
    def check(fields: Mapping[str, Any]) -> None:
        """Raise UserError where what the config names (a model, a file, a hub) is not there.

        Takes the YAML's fields; called before any data are read, so that a typo does not cost that time.
        """

    @staticmethod
    def given(spec: ModalitySpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What a run keeps, in `fitted`, of a model that the YAML's fields name, to be built again without it.

        Plain data; nothing as a rule. Raises UserError where that model does not take this modality.
        """
        return {}

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    @property
    def entrance(self) -> nn.Module | None:
        """The submodule at whose output an input of ids or codes becomes numbers; None: the input itself is numbers."""
        return None

    def attention(self, x: Tensor) -> Attention | None:
        """Who looks at whom in evaluation mode; None: its tokens stand for no places, or do not attend to each other.

        With `pool: none` the share is even, although what follows may weigh the tokens.
        """
        return None

    def load_given_weights(self) -> None:
        """Fetch the weights that the config names, if any. Not called when a run folder is reopened."""

    def freeze(self) -> None:
        """Apply `frozen`; called once the weights are in place."""
        if self.frozen:
            self.requires_grad_(False)
            self.eval()

    def train(self, mode: bool = True) -> Encoder:
        return super().train(mode and not self.frozen)
