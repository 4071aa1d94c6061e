"""The Transformer core h."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.core.base import Representation
from crossfade.layers.blocks import Block, attention_of, sinusoids


class Transformer(nn.Module):
    """[CLS; z] + positions → `depth` blocks → LN: tokens (B, L, D), mask (B, L) → Representation.

    The CLS token is never masked, so that a softmax always has something to attend to. Positions: learned,
    sinusoidal (Vaswani et al. 2017, section 3.5), rotary, or none. `length` is L.
    """

    def __init__(
        self,
        width: int,
        length: int,
        depth: int = 2,
        heads: int = 4,
        mlp_ratio: float = 2.0,
        dropout: float = 0.1,
        norm: str = "pre",
        activation: str = "gelu",
        position: str = "learned",
    ) -> None:
        super().__init__()
        self.cls = nn.Parameter(torch.randn(1, width) * 0.02)
        self.position: Tensor | None
        if position == "learned":
            self.position = nn.Parameter(torch.randn(length, width) * 0.02)
        else:
            table = sinusoids(length, width) if position == "sinusoidal" else None
            self.register_buffer("position", table, persistent=False)
        rotary = position == "rotary"
        self.blocks = nn.ModuleList(
            [Block(width, heads, mlp_ratio, dropout, norm, activation, rotary) for _ in range(depth)]
        )
        self.norm = nn.LayerNorm(width)

    def attention(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Each block's attention, the mean of its heads, (B, T, 1 + L, 1 + L); the first token is CLS."""
        return attention_of(self.blocks, *self._with_cls(tokens, mask))

    def forward(self, tokens: Tensor, mask: Tensor) -> Representation:
        x, seen = self._with_cls(tokens, mask)
        for block in self.blocks:
            x = block(x, seen)
        x = self.norm(x)
        return Representation(x[:, 0], x[:, 1:], mask)

    def _with_cls(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """[CLS; z] + positions, and what attention sees."""
        if self.position is not None:
            tokens = tokens + self.position.to(tokens.dtype)
        x = torch.cat([self.cls.to(tokens.dtype).expand(tokens.shape[0], 1, -1), tokens], 1)
        return x, torch.cat([torch.ones_like(mask[:, :1]), mask], 1)
