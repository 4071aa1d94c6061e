"""Series: patches of a multivariate time series as tokens of a small Transformer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from crossfade.encoders.base import Attention, Encoder
from crossfade.layers.blocks import Block, attention_of
from crossfade.layers.masking import masked_mean
from crossfade.specs import ModalitySpec


class PatchEncoder(Encoder):
    """(B, T, C), NaN = missing entry → a token per patch of P steps (B, ⌈T/P⌉, D_e), or their mean (B, 1, D_e).

    Patches as tokens: Nie et al. 2023 (PatchTST), arXiv:2211.14730, section 3.1; here all channels share a patch, and
    beside each value stands whether it was observed. A patch without any observed value is masked.
    """

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
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
        self.length: int = fitted["length"]
        patches = -(-self.length // patch)
        self.project = nn.Linear(2 * patch * fitted["channels"], hidden)
        self.position = nn.Parameter(torch.randn(patches, hidden) * 0.02)
        self.blocks = nn.ModuleList([Block(hidden, heads, dropout=dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(hidden)

    def attention(self, x: Tensor) -> Attention:
        tokens, attend = self._patches(x)
        return Attention(attention_of(self.blocks, tokens, attend), attend / attend.sum(1, keepdim=True))

    def _patches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """A token a patch, and which of them attention sees."""
        x = nn.functional.pad(x, (0, 0, 0, -self.length % self.patch), value=float("nan"))
        seen = ~x.isnan()
        values = torch.cat([x.nan_to_num(0.0), seen.to(x.dtype)], -1)
        tokens = self.project(values.unflatten(1, (-1, self.patch)).flatten(2)) + self.position
        mask = seen.unflatten(1, (-1, self.patch)).flatten(2).any(-1)
        # a softmax over no token at all is NaN: the first patch stays when nothing was observed
        return tokens, torch.cat([mask[:, :1] | ~mask.any(1, keepdim=True), mask[:, 1:]], 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tokens, attend = self._patches(x)
        for block in self.blocks:
            tokens = block(tokens, attend)
        tokens = self.norm(tokens)
        if self.pool == "mean":
            return masked_mean(tokens, attend).unsqueeze(1), attend.any(1, keepdim=True)
        return tokens, attend
