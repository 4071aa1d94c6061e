"""What the encoders of point clouds share: the box that a cloud fills, the plane under it, points into its cells."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from crossfade.errors import UserError
from crossfade.plane import Plane
from crossfade.specs import ModalitySpec


def box_of(fitted: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Shift and scale (3,) with which what the training split covers becomes [−1, 1]: (x − shift)·scale."""
    low, high = torch.tensor(fitted["low"]), torch.tensor(fitted["high"])
    return (low + high) / 2, 2 / (high - low).clamp(min=1.0)


def plane_of(spec: ModalitySpec, cells: int) -> Plane:
    """The plane of a target's grid under a cloud. Raises UserError where the modality does not say what it covers."""
    if spec.extent is None:
        raise UserError(
            f"modality.{spec.name}.extent: to place its points on the target's grid it needs what that covers, "
            "[x_min, x_max, y_min, y_max] in m, as the target's extent."
        )
    return Plane(spec.extent, cells)


def largest(tokens: Tensor, mask: Tensor) -> Tensor:
    """Maximum over the tokens that count: (B, L, D), (B, L) → (B, D)."""
    return tokens.masked_fill(~mask.unsqueeze(-1), torch.finfo(tokens.dtype).min).amax(1)


def cell_max(x: Tensor, index: Tensor, seen: Tensor, cells: int, empty: Tensor) -> Tensor:
    """Maximum over the points of each cell: x (B, N, D), index (B, N), seen (B, N) → (B, cells, D).

    A cell without a point holds `empty` (D).
    """
    lowest = torch.finfo(x.dtype).min
    x = x.masked_fill(~seen.unsqueeze(-1), lowest)
    start = x.new_full((x.shape[0], cells, x.shape[2]), lowest)
    found = start.scatter_reduce(1, index.unsqueeze(-1).expand_as(x), x, "amax")
    return torch.where(found > lowest, found, empty.to(x.dtype))


def cell_sum(x: Tensor, index: Tensor, cells: int) -> Tensor:
    """Sum over the points of each cell: x (B, N, D), index (B, N) → (B, cells, D)."""
    start = x.new_zeros(x.shape[0], cells, x.shape[2])
    return start.scatter_add(1, index.unsqueeze(-1).expand_as(x), x)
