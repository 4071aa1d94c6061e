"""The head of a plan: from tokens to the coefficients of a path."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from crossfade.core.base import Representation
from crossfade.layers.masking import masked_mean

QUERIES = 4  # over the tokens
PLACED = 8  # numbers of each cell that are read where the tokens lie on a grid


class PlanHead(nn.Module):
    """MLP of the pooled vector and of what four learned queries find among the tokens: → (B, P, 2).

    On a grid of g × g cells it also reads a few numbers of each cell in its place: where a road bends is a matter of
    which cells it passes, and queries tell what there is rather than where. A fusion that keeps the tokens of its n
    modalities apart has n on each cell: their mean counts.
    """

    def __init__(self, width: int, outputs: int, hidden: int, grid: int | None) -> None:
        super().__init__()
        self.grid = grid
        self.norm = nn.LayerNorm(width)
        self.query = nn.Parameter(torch.randn(QUERIES, width) * width**-0.5)
        placed = 0 if grid is None else PLACED * grid**2
        if grid is not None:
            self.place = nn.Linear(width, PLACED)
        self.inner = nn.Linear((1 + QUERIES) * width + placed, hidden)
        self.outer = nn.Linear(hidden, 2 * outputs)

    def forward(self, representation: Representation) -> Tensor:
        tokens = self.norm(representation.tokens)
        score = self.query.to(tokens.dtype) @ tokens.transpose(-1, -2)
        lowest = torch.finfo(score.dtype).min
        share = score.masked_fill(~representation.mask.unsqueeze(1), lowest).softmax(-1)
        read = [self.norm(representation.pooled), (share @ tokens).flatten(1)]
        if self.grid is not None:
            of_cells = tokens.unflatten(1, (-1, self.grid**2)).transpose(1, 2)
            mask = representation.mask.unflatten(1, (-1, self.grid**2)).transpose(1, 2)
            read.append(gelu(self.place(masked_mean(of_cells, mask))).flatten(1))
        return self.outer(gelu(self.inner(torch.cat(read, -1)))).unflatten(-1, (-1, 2))
