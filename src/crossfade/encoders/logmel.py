"""Audio: some frames of the log-mel spectrogram as one token of a small Transformer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from crossfade.encoders.base import Attention, Encoder
from crossfade.encoders.spectrogram import LogMel, rate_of
from crossfade.layers.blocks import Block, attention_of
from crossfade.specs import ModalitySpec


class LogMelEncoder(Encoder):
    """(B, T) at `rate` Hz → a token per P frames of the log-mel spectrogram (B, ⌈frames/P⌉, D_e), or their mean.

    A patch covers all mel bands, as in the time-only patches of Gong et al. 2021 (AST), arXiv:2104.01778, section 3.4;
    the last one is filled up with silence. `fitted` holds the samples of a waveform.
    """

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        mels: int = 64,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        patch: int = 8,
        hidden: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        frozen: bool = False,
        pool: str = "mean",
        shared: bool = False,
    ) -> None:
        super().__init__(spec, fitted, frozen)
        self.width, self.pool, self.patch = hidden, pool, patch
        self.spectrogram = LogMel(rate_of(spec), mels, window_ms, hop_ms)
        hop, length = self.spectrogram.hop, fitted["length"]
        patches = -(-(1 + length // hop) // patch)
        self.samples = max(length, (patches * patch - 1) * hop)  # of whole patches
        self.project = nn.Linear(patch * mels, hidden)
        self.position = nn.Parameter(torch.randn(patches, hidden) * 0.02)
        self.blocks = nn.ModuleList([Block(hidden, heads, dropout=dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(hidden)

    def attention(self, x: Tensor) -> Attention:
        tokens = self._patches(x)
        everything = torch.ones(tokens.shape[:2], dtype=torch.bool, device=x.device)
        return Attention(attention_of(self.blocks, tokens, everything), everything / everything.shape[1])

    def _patches(self, x: Tensor) -> Tensor:
        """A token per P frames, with its position."""
        frames = self.spectrogram.scaled(nn.functional.pad(x, (0, self.samples - x.shape[-1]))).transpose(1, 2)
        tokens = frames.unflatten(1, (-1, self.patch)).flatten(2)
        return self.project(tokens) + self.position

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self._patches(x)
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=x.device)
        for block in self.blocks:
            tokens = block(tokens, mask)
        tokens = self.norm(tokens)
        if self.pool == "mean":
            return tokens.mean(1, keepdim=True), mask[:, :1]
        return tokens, mask
