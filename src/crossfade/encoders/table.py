"""Tables: numbers and categories, each with an embedding for "missing"."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from crossfade.encoders.base import Encoder
from crossfade.layers.draws import Dropout
from crossfade.specs import ModalitySpec


class TableEncoder(Encoder):
    """Columns (B, F), NaN = missing entry → one token per column (B, F, D_e), or one vector (B, 1, D_e).

    Token of a number: w_f·x + b_f; of a category: a row of an embedding; of a missing entry: a vector of its own
    (the feature tokenizer of Gorishniy et al. 2021, arXiv:2106.11959, eq. 1). The pooled vector is an MLP of all.

    `fitted["cardinality"][f]` is the number of categories of column f, 0 for a number (already standardised).
    """

    offsets: Tensor

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        hidden: int = 64,
        dropout: float = 0.1,
        frozen: bool = False,
        pool: str = "mean",
        shared: bool = False,
    ) -> None:
        super().__init__(spec, fitted, frozen)
        self.width, self.pool = hidden, pool
        self.tokens = nn.Identity()  # one token per column passes here
        cardinality: list[int] = fitted["cardinality"]
        self.numbers = [f for f, c in enumerate(cardinality) if c == 0]
        self.categories = [f for f, c in enumerate(cardinality) if c > 0]
        offsets = torch.tensor([0, *(cardinality[f] for f in self.categories)]).cumsum(0)
        self.register_buffer("offsets", offsets[:-1])
        self.missing = nn.Parameter(torch.randn(len(cardinality), hidden) * hidden**-0.5)
        if self.numbers:
            self.weight = nn.Parameter(torch.randn(len(self.numbers), hidden) * hidden**-0.5)
            self.bias = nn.Parameter(torch.randn(len(self.numbers), hidden) * hidden**-0.5)
        if self.categories:
            self.embedding = nn.Embedding(int(offsets[-1]), hidden)
        if pool == "mean":
            columns = len(cardinality) * hidden
            self.mlp = nn.Sequential(
                nn.LayerNorm(columns), nn.Linear(columns, 2 * hidden), nn.GELU(), Dropout(dropout),
                nn.Linear(2 * hidden, hidden),
            )  # fmt: skip

    @property
    def entrance(self) -> nn.Module:
        return self.tokens

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        absent = x.isnan()
        x = x.nan_to_num(0.0)
        order, parts = [], []
        if self.numbers:
            order += self.numbers
            parts.append(x[:, self.numbers].unsqueeze(-1) * self.weight + self.bias)
        if self.categories:
            order += self.categories
            parts.append(self.embedding(x[:, self.categories].long() + self.offsets))
        tokens = torch.cat(parts, 1)[:, [order.index(f) for f in range(len(order))]]
        tokens = torch.where(absent.unsqueeze(-1), self.missing.to(tokens.dtype), tokens)
        tokens = self.tokens(tokens)
        if self.pool == "mean":
            tokens = self.mlp(tokens.flatten(1)).unsqueeze(1)
        return tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=x.device)
