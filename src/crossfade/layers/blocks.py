"""The Transformer block that the core, the series encoder and attention fusion are made of.

Attention runs over the tokens of one sample, never over the batch. Plain functions of tensors: safe for vmap.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from crossfade.layers.draws import Rate, dropout, stacked

FEW = 4  # keys up to which products element by element are quicker than a batch of tiny matrix products


class SelfAttention(nn.Module):
    """softmax(QKᵀ/√d + mask)·V (Vaswani et al. 2017, arXiv:1706.03762, eq. 1): (B, L, D), mask (B, L) → (B, L, D).

    Each sample needs at least one token that counts. `rotary` turns queries and keys by their position (Su et al.
    2021, arXiv:2104.09864, eq. 34).
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0, rotary: bool = False) -> None:
        super().__init__()
        self.heads, self.dropout, self.rotary = heads, dropout, rotary
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self._heads(x)
        rate = self.dropout if self.training else 0.0
        y = attend(q, k, v, mask[:, None, None, :], rate)
        return self.out(y.transpose(-2, -3).flatten(-2))

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).movedim(-3, 0).transpose(-2, -3)
        return (rotate(q), rotate(k), v) if self.rotary else (q, k, v)

    def weights(self, x: Tensor, mask: Tensor) -> Tensor:
        """softmax(QKᵀ/√d + mask), the mean of the heads, (B, L, L): for those who want to see it."""
        q, k, _ = self._heads(x)
        score = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        return score.masked_fill(~mask[:, None, None, :], float("-inf")).softmax(-1).mean(1)


def attend(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None = None, rate: Rate = 0.0) -> Tensor:
    """softmax(QKᵀ/√d + mask)·V: (N, heads, L, d), (N, heads, S, d) → (N, heads, L, d); dropout on the softmax.

    One model takes torch's kernel. That has no rule for vmap, which would call it once per member: of stacked models
    the same is written out.
    """
    if not stacked():
        assert isinstance(rate, float | int)
        return scaled_dot_product_attention(q, k, v, seen, dropout_p=rate)
    q = q * q.shape[-1] ** -0.5
    few = k.shape[-2] <= FEW
    score = (q.unsqueeze(-2) * k.unsqueeze(-3)).sum(-1) if few else q @ k.transpose(-1, -2)
    if seen is not None:
        score = score.masked_fill(~seen, -torch.inf)
    share = dropout(score.softmax(-1), rate, True)
    return (share.unsqueeze(-1) * v.unsqueeze(-3)).sum(-2) if few else share @ v


def rotate(x: Tensor) -> Tensor:
    """Rotary position embedding of (…, L, d), d even: pairs turn by l·10000^(−2i/d)."""
    half = x.shape[-1] // 2
    rate = 10000 ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angle = torch.arange(x.shape[-2], device=x.device)[:, None] * rate
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def sinusoids(length: int, width: int) -> Tensor:
    """PE[l, 2i] = sin(l / 10000^(2i/D)), PE[l, 2i+1] = cos(…): (L, D)."""
    rate = 10000 ** (-torch.arange(0, width, 2) / width)
    angle = torch.arange(length)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :width]


class FeedForward(nn.Module):
    """W₂·GELU(W₁x), or W₂·(SiLU(W₁x) ⊙ W₃x) (SwiGLU: Shazeer 2020, arXiv:2002.05202, eq. 6)."""

    def __init__(self, width: int, hidden: int, dropout: float, activation: str = "gelu") -> None:
        super().__init__()
        self.gated, self.dropout = activation == "swiglu", dropout
        self.inner = nn.Linear(width, hidden * (2 if self.gated else 1))
        self.outer = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inner(x)
        if self.gated:
            gate, value = x.chunk(2, -1)
            x = nn.functional.silu(gate) * value
        else:
            x = nn.functional.gelu(x)
        return self.outer(dropout(x, self.dropout, self.training))


class Block(nn.Module):
    """Self-attention and feed-forward with residuals; the norm before each (pre) or after (post).

    Pre-norm: x + f(LN(x)); post-norm: LN(x + f(x)) (Xiong et al. 2020, arXiv:2002.04745, figure 1).
    """

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_ratio: float = 2.0,
        dropout: float = 0.0,
        norm: str = "pre",
        activation: str = "gelu",
        rotary: bool = False,
    ) -> None:
        super().__init__()
        self.pre, self.dropout = norm == "pre", dropout
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, dropout, rotary)
        self.mlp = FeedForward(width, round(mlp_ratio * width), dropout, activation)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        if self.pre:
            x = x + dropout(self.attention(self.norm1(x), mask), self.dropout, self.training)
            return x + dropout(self.mlp(self.norm2(x)), self.dropout, self.training)
        x = self.norm1(x + dropout(self.attention(x, mask), self.dropout, self.training))
        return self.norm2(x + dropout(self.mlp(x), self.dropout, self.training))


def attention_of(blocks: Iterable[nn.Module], x: Tensor, mask: Tensor) -> Tensor:
    """Each block's attention as the tokens (B, L, D) pass through them, (B, T, L, L)."""
    seen = []
    for block in blocks:
        assert isinstance(block, Block)
        seen.append(block.attention.weights(block.norm1(x) if block.pre else x, mask))
        x = block(x, mask)
    return torch.stack(seen, 1)
