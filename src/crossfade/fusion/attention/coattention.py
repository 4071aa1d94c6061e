"""Co-attention: each modality asks all the others at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from crossfade.fusion.attention.from_others import FromOthers
from crossfade.fusion.base import Fused, one_branch
from crossfade.layers.draws import dropout


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
