"""The bird's-eye plane: metres ↔ cells.

x points forward, y left, in m (ISO 8855). Row 0 of a raster or grid is farthest ahead, column 0 leftmost:

    row = (x_max − x) / h,   column = (y_max − y) / w,   h and w the sides of a cell in m.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Plane:
    """`extent` = (x_min, x_max, y_min, y_max) in m, cut into cells × cells."""

    extent: tuple[float, float, float, float]
    cells: int

    @property
    def side(self) -> tuple[float, float]:
        """h and w, the sides of a cell along x and y, in m."""
        x_min, x_max, y_min, y_max = self.extent
        return (x_max - x_min) / self.cells, (y_max - y_min) / self.cells

    def place(self, xy: Tensor) -> Tensor:
        """m (…, 2) → row and column (…, 2) as real numbers; whole numbers are the edges of cells."""
        h, w = self.side
        return torch.stack([(self.extent[1] - xy[..., 0]) / h, (self.extent[3] - xy[..., 1]) / w], -1)

    def metres(self, place: Tensor) -> Tensor:
        """Row and column (…, 2) → x and y in m (…, 2)."""
        h, w = self.side
        return torch.stack([self.extent[1] - place[..., 0] * h, self.extent[3] - place[..., 1] * w], -1)

    def inside(self, place: Tensor) -> Tensor:
        """Whether a place (…, 2) lies in the plane, bool (…); NaN does not."""
        return ((place >= 0) & (place < self.cells)).all(-1)

    def cell(self, place: Tensor) -> Tensor:
        """Row and column (…, 2) of the cell, as real numbers; outside (and for NaN) those of a cell at the edge."""
        return place.nan_to_num(0.0).floor().clamp(0, self.cells - 1)

    def index(self, place: Tensor) -> Tensor:
        """Number row·cells + column of the cell, int64 (…)."""
        row, column = self.cell(place).long().unbind(-1)
        return row * self.cells + column

    def centres(self) -> Tensor:
        """x and y in m of the cells' middles (cells², 2), row by row."""
        at = torch.arange(self.cells, dtype=torch.float32) + 0.5
        return self.metres(torch.cartesian_prod(at, at))
