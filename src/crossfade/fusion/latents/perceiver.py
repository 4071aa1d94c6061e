"""Perceiver: a few latents look at all tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.layers.blocks import Block, attend, sinusoids


class Look(nn.Module):
    """x + O·MHA(Q·LN(x), K·y, V·y): x (B, L, D) looks at y (B, S, D), mask (B, S) or None."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
        parts = self.query(layer_norm(x, x.shape[-1:])), self.key(y), self.value(y)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(-2, -3) for part in parts)
        seen = None if mask is None else mask[:, None, None, :]
        return x + self.out(attend(q, k, v, seen).transpose(-2, -3).flatten(-2))


class Perceiver(Fusion):
    """l = Look(l_0, x + e + p), l ← Block(l) `layers` times, z = Look(q, LN(l)): (B, M, K, D) → (B, 1, K, D).

    `latents` = N learned tokens l_0 look at all tokens of all modalities present, then at each other; learned queries
    q (one a position) read the output from them. Look(x, y) = x + O·MHA(Q·LN(x), K·y, V·y); e_m tells the
    modalities apart, p_k (sinusoids) the positions. The cost grows with M·K, not with its square. `layers` = T.

    Absent: its tokens are masked
    Source: Jaegle et al. 2021, arXiv:2103.03206, section 3.1 (no equations); the queries: arXiv:2107.14795, section 3
    Cost: 8·D² + 8·D + T·(4·D² + 2·r·D² + (9 + r)·D) + (M + N + K)·D parameters, \
4·(N + M·K)·D² + 4·N·M·K·D + T·N·((8 + 4·r)·D² + 4·N·D) + 4·(N + K)·D² + 4·N·K·D FLOPs
    """

    places: Tensor

    def __init__(
        self,
        modalities: tuple[str, ...],
        width: int,
        tokens: int,
        latents: int = 8,
        layers: int = 1,
        heads: int = 4,
        mlp_ratio: float = 2.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(modalities, width, tokens)
        self.identity = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)
        self.latents = nn.Parameter(torch.randn(latents, width) * 0.02)
        self.queries = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.register_buffer("places", sinusoids(tokens, width), persistent=False)
        self.gather, self.read = Look(width, heads), Look(width, heads)
        self.blocks = nn.ModuleList([Block(width, heads, mlp_ratio, dropout) for _ in range(layers)])

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        x = tokens + self.identity.to(tokens.dtype) + self.places.to(tokens.dtype)
        latents = self.latents.to(x.dtype).expand(x.shape[0], -1, -1)
        latents = self.gather(latents, x.flatten(1, 2), mask.flatten(1))
        everything = torch.ones_like(latents[..., 0], dtype=torch.bool)
        for block in self.blocks:
            latents = block(latents, everything)
        queries = self.queries.to(x.dtype).expand(x.shape[0], -1, -1)
        return one_branch(self.read(queries, layer_norm(latents, (self.width,))), mask.any(1))
