"""Video: the frames one by one through a timm model, then a small Transformer over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from crossfade.encoders.base import Encoder
from crossfade.encoders.image import TimmEncoder
from crossfade.errors import UserError
from crossfade.layers.blocks import Block
from crossfade.specs import ModalitySpec


class VideoEncoder(Encoder):
    """(B, F·C, H, W), the oldest frame first → a token per frame (B, F, D_e), or their mean (B, 1, D_e).

    Every frame passes the same timm model, whose pooled feature gets a learned position in time and attends to the
    other frames: the factorised encoder of Arnab et al. 2021 (ViViT), arXiv:2103.15691, section 3.3, model 2.

    Raises UserError when the channels are not `frames` times the same, or the modality is aligned with a dense target.
    """

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        model: str,
        frames: int = 4,
        hidden: int = 64,
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.1,
        pretrained: bool = False,
        weights: str | None = None,
        frozen: bool = False,
        pool: str = "mean",
        shared: bool = False,
        grid: int | None = None,
    ) -> None:
        super().__init__(spec, fitted, frozen)
        if spec.channels % frames:
            raise UserError(
                f"encoder.image.frames={frames}: modality.{spec.name}.channels={spec.channels} is no multiple of it. "
                "A video has frames × colours channels."
            )
        if grid is not None:
            raise UserError(
                f"modality.{spec.name}.aligned=true: encoder/image=video has a token per frame, none per place. "
                f"Leave aligned out, or set modality.{spec.name}.encoder to that of encoder/image=timm."
            )
        self.frames, self.pool, self.width = frames, pool, hidden
        one = spec.model_copy(update={"channels": spec.channels // frames})
        self.image = TimmEncoder(one, fitted, model=model, pretrained=pretrained, weights=weights, frozen=frozen)
        self.pretrained = self.image.pretrained
        self.project = nn.Linear(self.image.width, hidden)
        self.position = nn.Parameter(torch.randn(frames, hidden) * 0.02)
        self.blocks = nn.ModuleList([Block(hidden, heads, dropout=dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(hidden)

    @staticmethod
    def check(fields: Mapping[str, Any]) -> None:
        TimmEncoder.check(fields)

    def load_given_weights(self) -> None:
        self.image.load_given_weights()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features, _ = self.image(x.unflatten(1, (self.frames, -1)).flatten(0, 1))
        tokens = self.project(features.squeeze(1)).unflatten(0, (-1, self.frames)) + self.position
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=x.device)
        for block in self.blocks:
            tokens = block(tokens, mask)
        tokens = self.norm(tokens)
        if self.pool == "mean":
            return tokens.mean(1, keepdim=True), mask[:, :1]
        return tokens, mask
