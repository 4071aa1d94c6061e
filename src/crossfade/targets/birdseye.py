"""What the bird's-eye targets share: a head from tokens on a grid to a raster, and padded lists of objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pixel_shuffle

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.layers.masking import masked_mean


class BirdsEyeHead(nn.Module):
    """Tokens on g × g cells → outputs on R × R cells, R = upsample·g: (B, n·g², D) → (B, C, R, R).

    Linear to hidden·upsample² channels a cell, shuffled into space (Shi et al. 2016, arXiv:1609.05158, eq. 4), then
    two convolutions. A fusion that keeps the tokens of its n modalities apart has n on each cell: their mean counts.
    """

    def __init__(self, width: int, outputs: int, grid: int, upsample: int, hidden: int) -> None:
        super().__init__()
        self.grid, self.upsample = grid, upsample
        self.norm = nn.LayerNorm(width)
        self.spread = nn.Linear(width, hidden * upsample**2)
        self.around = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.out = nn.Conv2d(hidden, outputs, 1)

    def forward(self, representation: Representation) -> Tensor:
        cells = self.grid**2
        tokens = representation.tokens.unflatten(1, (-1, cells)).transpose(1, 2)
        mask = representation.mask.unflatten(1, (-1, cells)).transpose(1, 2)
        x = self.spread(self.norm(masked_mean(tokens, mask)))
        x = pixel_shuffle(x.transpose(1, 2).unflatten(2, (self.grid, self.grid)), self.upsample)
        return self.out(gelu(self.around(gelu(x))))


TRAINING = "training sample"  # what `fit` counts; `encode` counts rows


def pack(truths: Sequence[np.ndarray | None], shape: tuple[int, ...]) -> Tensor:
    """Lists of objects (n_i, *shape) as one tensor (N, 1 + max n_i, *shape) of float32.

    Row 0 is 0 where the sample's truth is known, so that an empty scene differs from an unknown one, which is NaN
    throughout; rows past the last object are NaN.
    """
    most = max((len(t) for t in truths if t is not None), default=0)
    out = np.full((len(truths), 1 + most, *shape), np.nan, dtype=np.float32)
    for row, truth in zip(out, truths, strict=True):
        if truth is not None:
            row[0] = 0
            row[1 : 1 + len(truth)] = truth
    return torch.from_numpy(out)


def gathered(raster: Tensor, index: Tensor) -> Tensor:
    """The outputs (B, n, C) of a raster (B, C, R, R) in the cells `index` (B, n)."""
    columns = raster.flatten(2)
    return columns.gather(2, index.unsqueeze(1).expand(-1, columns.shape[1], -1)).transpose(1, 2)


def between(raster: Tensor, place: Tensor) -> Tensor:
    """The outputs (B, n, C) of a raster (B, C, R, R) at `plane.place` (B, n, 2), linear between the cells' middles."""
    last = raster.shape[-1] - 1
    at = (place.nan_to_num(0.0) - 0.5).clamp(0, last)
    low = at.floor()
    down, right = (at - low).unsqueeze(-1).unbind(-2)
    rows, columns = torch.stack([low, (low + 1).clamp(max=last)]).long().unbind(-1)
    corner = [[gathered(raster, row * (last + 1) + column) for column in columns] for row in rows]
    above, below = (left + right * (other - left) for left, other in corner)
    return above + down * (below - above)


def checked(name: str, place: str, truth: object, shape: str, columns: Sequence[int | None]) -> np.ndarray:
    """A raw truth as float32 with these lengths (None: any). Raises UserError naming the target and the sample."""
    array = np.asarray(truth, dtype=np.float32)
    if array.ndim != len(columns) or any(c is not None and c != n for c, n in zip(columns, array.shape, strict=True)):
        raise UserError(f"target.{name}: the truth of {place} has shape {array.shape}, expected {shape}.")
    if np.isinf(array).any():
        raise UserError(f"target.{name}: the truth of {place} holds infinite values.")
    return array
