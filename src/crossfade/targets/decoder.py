"""From the tokens of a grid to a map of pixels."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.specs import TargetSpec


class GridDecoder(nn.Module):
    """Tokens (B, K, D) of g × g cells, row by row → (B, outputs, size, size).

    Each cell's token becomes a patch of `hidden` channels by a linear layer and sub-pixel rearrangement (Shi et al.
    2016, arXiv:1609.05158, eq. 4), which two 3 × 3 convolutions with a residual smooth across the cells' borders; where
    a cell has an even number of pixels above four, at half the size. It sees the tokens alone: nothing passes by the
    fusion. Tokens of several modalities (K = M·g², as attention fusion leaves them) are averaged cell by cell over
    those that count.
    """

    def __init__(self, width: int, grid: int, size: int, outputs: int, hidden: int = 8) -> None:
        super().__init__()
        scale = size // grid
        self.cells, self.grid = grid * grid, grid
        self.last = 2 if scale > 4 and scale % 2 == 0 else 1
        self.first = scale // self.last
        self.patch = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden * self.first**2))
        self.smooth = nn.Sequential(
            nn.GELU(), nn.Conv2d(hidden, hidden, 3, padding=1), nn.GELU(), nn.Conv2d(hidden, hidden, 3, padding=1)
        )
        self.out = nn.Conv2d(hidden, outputs * self.last**2, 1)

    def forward(self, representation: Representation) -> Tensor:
        tokens = representation.tokens.unflatten(1, (-1, self.cells))
        here = representation.mask.unflatten(1, (-1, self.cells)).unsqueeze(-1).to(tokens.dtype)
        tokens = (tokens * here).sum(1) / here.sum(1).clamp(min=1)
        x = self.patch(tokens).transpose(1, 2).unflatten(2, (self.grid, self.grid))
        x = pixel_shuffle(x, self.first)
        return pixel_shuffle(self.out(x + self.smooth(x)), self.last)


def check_size(spec: TargetSpec) -> None:
    """UserError where a target's map cannot be divided into its grid's cells."""
    size, grid = spec.own["size"], spec.own["grid"]
    if size % grid:
        near = max(1, round(size / grid)) * grid
        raise UserError(
            f"target.{spec.name}.size={size}: must be a multiple of target.{spec.name}.grid={grid}, such as {near}."
        )
