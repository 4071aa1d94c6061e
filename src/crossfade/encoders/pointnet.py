"""Point clouds: a shared network for each point, and the largest value over all points."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from crossfade.encoders.base import Encoder
from crossfade.encoders.points import box_of, cell_max, largest, plane_of
from crossfade.layers.masking import masked_mean
from crossfade.specs import ModalitySpec


class PointNet(Encoder):
    """(B, N, F), NaN = no point → one vector (B, 1, D_e), a token a point (B, N, D_e), or a token a cell (B, g², 2·D).

    f = max_n MLP(p_n) (Qi et al. 2017, arXiv:1612.00593, eq. 1); a LayerNorm in place of their batch norm, so that
    padding and neighbours cannot matter, and without their input transforms: the axes of a vehicle's sensors are known.
    On a grid each cell has the maximum over its own points and their places in the cell, beside that over all points.

    `fitted` has what the training split's clouds cover ("low", "high", in m), which is scaled to [−1, 1].
    A cloud without a point is a learned vector.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        hidden: int = 64,
        layers: int = 2,
        frozen: bool = False,
        pool: str = "max",
        shared: bool = False,
        grid: int | None = None,
    ) -> None:
        super().__init__(spec, fitted, frozen)
        self.pool = pool
        self.plane = None if grid is None else plane_of(spec, grid)
        self.width = hidden if grid is None else 2 * hidden
        shift, scale = box_of(fitted)
        self.register_buffer("shift", shift, persistent=False)
        self.register_buffer("scale", scale, persistent=False)
        widths = [fitted["channels"] + (0 if grid is None else 2), *[hidden] * layers]
        steps: list[nn.Module] = []
        for before, after in pairwise(widths):
            steps += [nn.Linear(before, after), nn.LayerNorm(after), nn.GELU()]
        self.each = nn.Sequential(*steps, nn.Linear(hidden, hidden))
        self.nothing = nn.Parameter(torch.randn(hidden) * hidden**-0.5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seen = ~x.isnan().any(-1)
        x = x.nan_to_num(0.0)
        scaled = torch.cat([(x[..., :3] - self.shift) * self.scale, x[..., 3:]], -1)
        if self.plane is None:
            tokens = torch.where(seen.unsqueeze(-1), self.each(scaled), self.nothing.to(scaled.dtype))
            # the first of a cloud without a point stands for "nothing"
            mask = torch.cat([seen[:, :1] | ~seen.any(1, keepdim=True), seen[:, 1:]], 1)
            if self.pool == "none":
                return tokens, mask
            pooled = masked_mean(tokens, mask) if self.pool == "mean" else largest(tokens, mask)
            return pooled.unsqueeze(1), mask.any(1, keepdim=True)
        place = self.plane.place(x[..., :2])
        seen = seen & self.plane.inside(place)
        within = 2 * (place - self.plane.cell(place)) - 1
        tokens = self.each(torch.cat([scaled, within], -1))
        cells = cell_max(tokens, self.plane.index(place), seen, self.plane.cells**2, self.nothing)
        whole = torch.where(seen.any(1, keepdim=True), largest(tokens, seen), self.nothing.to(tokens.dtype))
        cells = torch.cat([cells, whole.unsqueeze(1).expand_as(cells)], -1)
        return cells, torch.ones(cells.shape[:2], dtype=torch.bool, device=x.device)
