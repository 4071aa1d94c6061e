"""Attention among a sample's modalities: merged (attention), in pairs (cross_attention), from the others (coattention).

None crosses samples. Heads see Vaswani et al. 2017, arXiv:1706.03762, eq. 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, pad

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.layers.blocks import SelfAttention, attend
from crossfade.layers.draws import dropout
from crossfade.layers.per_modality import PerModality


class Attention(Fusion):
    """z = x + MHA(LN(x + e)), over all tokens of all modalities present: (B, M, K, D) → (B, 1, M·K, D).

    Merged attention; x stands for x + e, e_m a learned embedding of the modality.

    Absent: its tokens are masked
    Source: Vaswani et al. 2017, arXiv:1706.03762, eq. 1
    Cost: 4·D² + 6·D + M·D parameters, 8·M·K·D² + 4·M²·K²·D FLOPs
    """

    def __init__(
        self, modalities: tuple[str, ...], width: int, tokens: int, heads: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__(modalities, width, tokens)
        self.length = len(modalities) * tokens
        self.identity = nn.Parameter(torch.randn(len(modalities), 1, width) * 0.02)
        self.norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, dropout)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        x = (tokens + self.identity.to(tokens.dtype)).flatten(1, 2)
        seen = mask.flatten(1)
        return one_branch(x + self.attention(self.norm(x), seen), seen)


class FromOthers(Fusion):
    """Queries, keys and values of each modality, its own weights each; among the keys a token of zeros.

    A query may look at that token in place of all others (key 0, value 0), so that a softmax over an absent modality
    is defined, and gives nothing.
    """

    def __init__(
        self, modalities: tuple[str, ...], width: int, tokens: int, heads: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__(modalities, width, tokens)
        self.length = len(modalities) * tokens
        self.heads, self.dropout = heads, dropout
        self.query = PerModality(len(modalities), width, width)
        self.key = PerModality(len(modalities), width, width)
        self.value = PerModality(len(modalities), width, width)
        self.out = PerModality(len(modalities), width, width)

    def split(self, x: Tensor) -> Tensor:
        """(…, L, D) → (…, heads, L, D/heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(-2, -3)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """(N, L, D), (N, S, D), (N, S, D), mask (N, 1 or L, S) → (N, L, D), with the token of zeros among the keys."""
        key, value = (pad(x, (0, 0, 1, 0)) for x in (key, value))
        seen = pad(mask, (1, 0), value=True).unsqueeze(1)
        rate = self.dropout if self.training else 0.0
        q, k, v = self.split(query), self.split(key), self.split(value)
        y = attend(q, k, v, seen, rate)
        return y.transpose(-2, -3).flatten(-2)


class CrossAttention(FromOthers):
    """z_m = x_m + O_m·mean_{j ≠ m present}(MHA(Q_m·x_m, K_j·x_j, V_j·x_j)): (B, M, K, D) → (B, 1, M·K, D).

    Crossmodal attention of every directed pair j → m; the inputs are already normalised. The mean over the sources
    takes the place of the paper's concatenation, so that any may be absent.

    Absent: no source; its own tokens are masked
    Source: Tsai et al. 2019, arXiv:1906.00295 (MulT), eq. 1
    Cost: 4·M·D² + 4·M·D parameters, 8·M·K·D² + 4·M²·K·(K + 1)·D FLOPs
    """

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        many = len(self.modalities)
        query = self.query(tokens).flatten(1, 2).unsqueeze(1).expand(-1, many, -1, -1)  # one copy per source
        parts = query, self.key(tokens), self.value(tokens), mask.unsqueeze(2)
        y = self.attend(*(part.flatten(0, 1) for part in parts))
        y = y.unflatten(0, (-1, many)).unflatten(2, (many, -1))  # (B, source, target, K, D)
        here = mask.any(-1)
        pair = (here.unsqueeze(2) & ~torch.eye(many, dtype=torch.bool, device=mask.device)).to(y.dtype)
        share = pair / pair.sum(1, keepdim=True).clamp(min=1)
        heard = (share[..., None, None] * y).sum(1)
        heard = dropout(self.out(heard), self.dropout, self.training)
        return one_branch((tokens + heard).flatten(1, 2), mask.flatten(1))


class CoAttention(FromOthers):
    """z_m = y_m + FFN(LN(y_m)), y_m = x_m + O_m·MHA(Q_m·x_m, K·x_others, V·x_others): (B, M, K, D) → (B, 1, M·K, D).

    Co-attention: queries of one modality, keys and values of all others together; FFN(x) = W_2·GELU(W_1·x), shared,
    with `hidden` = H features.

    Absent: seen by none; its own tokens are masked
    Source: Lu et al. 2019, arXiv:1908.02265 (ViLBERT), section 2.2
    Cost: 4·M·D² + 4·M·D + 2·D·H + H + D parameters, 8·M·K·D² + 4·M·K·(M·K + 1)·D + 4·M·K·D·H FLOPs
    """

    apart: Tensor

    def __init__(
        self,
        modalities: tuple[str, ...],
        width: int,
        tokens: int,
        heads: int = 4,
        hidden: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(modalities, width, tokens, heads, dropout)
        of = torch.arange(len(modalities)).repeat_interleave(tokens)
        self.register_buffer("apart", of[:, None] != of[None, :], persistent=False)
        self.inner, self.outer = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        seen = mask.flatten(1)
        q, k, v = (layer(tokens).flatten(1, 2) for layer in (self.query, self.key, self.value))
        heard = self.attend(q, k, v, seen.unsqueeze(1) & self.apart).unflatten(1, (len(self.modalities), -1))
        y = tokens + dropout(self.out(heard), self.dropout, self.training)
        inner = nn.functional.gelu(self.inner(layer_norm(y, (self.width,))))
        return one_branch((y + dropout(self.outer(inner), self.dropout, self.training)).flatten(1, 2), seen)
