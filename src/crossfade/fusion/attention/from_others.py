"""What cross- and co-attention share: queries of one modality, keys and values of the others."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import pad

from crossfade.fusion.base import Fusion
from crossfade.layers.blocks import attend
from crossfade.layers.per_modality import PerModality


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
