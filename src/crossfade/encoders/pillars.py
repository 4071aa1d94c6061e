"""Point clouds: vertical pillars over the cells of the ground, then convolutions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from crossfade.encoders.base import Encoder
from crossfade.encoders.points import box_of, cell_max, cell_sum, plane_of
from crossfade.specs import ModalitySpec

ABOUT_POINT = 3 + 2 + 3  # x, y, z scaled; place within the pillar; m from the mean of the pillar's points


class Pillars(Encoder):
    """(B, N, F), NaN = no point → a token a cell (B, g², D_e), or their maximum or mean (B, 1, D_e).

    Each point is described by its own values, its place in its pillar and its distance from the mean of the pillar's
    points; a linear layer, and the maximum over the pillar, give a picture of the ground with its number of points
    (PointPillars: Lang et al. 2019, arXiv:1812.05784, section 2.1), on which `layers` residual convolutions run. A cell
    is made of `fine` × `fine` pillars. g is `cells`, or the grid of a dense target where the modality is aligned. The
    plane is the modality's `extent`, or else (not on a target's grid) what the training split covers.
    LayerNorm and GroupNorm in place of their batch norm, so that neighbours cannot matter.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        cells: int = 16,
        fine: int = 2,
        hidden: int = 32,
        layers: int = 2,
        frozen: bool = False,
        pool: str = "max",
        shared: bool = False,
        grid: int | None = None,
    ) -> None:
        super().__init__(spec, fitted, frozen)
        self.width, self.pool, self.grid = hidden, pool, grid
        low, high = fitted["low"], fitted["high"]
        if spec.extent is None and grid is None:
            spec = spec.model_copy(update={"extent": (low[0], high[0] + 1e-3, low[1], high[1] + 1e-3)})
        self.plane = plane_of(spec, (grid or cells) * fine)
        shift, scale = box_of(fitted)
        self.register_buffer("shift", shift, persistent=False)
        self.register_buffer("scale", scale, persistent=False)
        self.each = nn.Sequential(
            nn.Linear(fitted["channels"] - 3 + ABOUT_POINT, hidden), nn.LayerNorm(hidden), nn.GELU()
        )
        self.nothing = nn.Parameter(torch.zeros(hidden))
        self.number = nn.Linear(1, hidden, bias=False)
        self.blocks = nn.ModuleList([Residual(hidden) for _ in range(layers)])
        self.coarse = nn.Conv2d(hidden, hidden, fine, stride=fine)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        picture = self._picture(x)
        for block in self.blocks:
            picture = block(picture)
        tokens = self.coarse(picture).flatten(2).transpose(1, 2)
        if self.pool != "none" and self.grid is None:
            tokens = tokens.mean(1, keepdim=True) if self.pool == "mean" else tokens.amax(1, keepdim=True)
        return tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=x.device)

    def _picture(self, x: Tensor) -> Tensor:
        """Points (B, N, F) → (B, D, R, R)."""
        place = self.plane.place(x[..., :2])
        seen = ~x.isnan().any(-1) & self.plane.inside(place)
        x, place = x.nan_to_num(0.0), place.nan_to_num(0.0)
        index, pillars = self.plane.index(place), self.plane.cells**2
        here = seen.unsqueeze(-1).to(x.dtype)
        total = cell_sum(torch.cat([x[..., :3] * here, here], -1), index, pillars)
        mean = total[..., :3] / total[..., 3:].clamp(min=1)
        from_mean = x[..., :3] - mean.gather(1, index.unsqueeze(-1).expand(-1, -1, 3))
        within = 2 * (place - self.plane.cell(place)) - 1
        about = [(x[..., :3] - self.shift) * self.scale, within, from_mean, x[..., 3:]]
        cells = cell_max(self.each(torch.cat(about, -1)), index, seen, pillars, self.nothing)
        cells = cells + self.number(total[..., 3:].log1p())
        return cells.transpose(1, 2).unflatten(2, (self.plane.cells, self.plane.cells))


class Residual(nn.Module):
    """x + conv(GELU(norm(x))), 3 × 3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.around = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.around(nn.functional.gelu(self.norm(x)))
