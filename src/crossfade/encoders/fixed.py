"""A table's numbers as they are, on the sphere of normalised embeddings: with it a learned α can be read off."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from crossfade.encoders.base import Encoder
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec

CUT = 10.0  # as the transform cuts z-scores: so |u| ≤ 1


class FixedTable(Encoder):
    """Columns (B, F), NaN = missing entry → x = √D (√(1 − |u|²)·q_0 + Σ_p u_p·q_p), (B, 1, D), or one per column.

    u_p = z_p / (10 √F) of the P numbers and indicators of categories, a missing one 0; q_0 … q_P orthonormal vectors
    of mean 0 (a discrete cosine transform's), the same for all modalities. So x is of mean 0 and variance 1, and along
    each q_p linear in z_p at one and the same rate. A token per column (`pool=none`) has its column alone, F as 1.

    Nothing here is trained and the embedding adds no map: no slope and no offset is left that could undo α.
    Raises UserError for a width D under P + 2.
    """

    projected = False
    axes: Tensor
    column: Tensor

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        hidden: int = 64,
        frozen: bool = False,
        pool: str = "mean",
        shared: bool = False,
    ) -> None:
        super().__init__(spec, fitted, frozen)
        self.width, self.pooled = hidden, pool == "mean"
        self.cardinality: list[int] = fitted["cardinality"]
        sizes = [max(1, c) for c in self.cardinality]
        if hidden < sum(sizes) + 2:
            raise UserError(
                f"encoder.table.hidden={hidden}: modality {spec.name} has {sum(sizes)} numbers and indicators of "
                f"categories, each of which takes a direction of its own. Set width={sum(sizes) + 2} or more."
            )
        k = torch.arange(1, sum(sizes) + 2, dtype=torch.float64).unsqueeze(1)
        i = torch.arange(hidden, dtype=torch.float64)
        cosines = (2 / hidden) ** 0.5 * torch.cos(torch.pi * (i + 0.5) * k / hidden)
        self.register_buffer("axes", (hidden**0.5 * cosines).float(), persistent=False)
        column = torch.repeat_interleave(torch.eye(len(sizes)), torch.tensor(sizes), dim=1)
        self.register_buffer("column", column, persistent=False)  # (F, P): whose number or indicator it is

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        absent = x.isnan()
        x = x.nan_to_num(0.0)
        parts = [
            (column == torch.arange(c, device=x.device)).to(x) if c else column.clamp(-CUT, CUT)
            for c, column in zip(self.cardinality, x.split(1, dim=1), strict=True)
        ]
        u = torch.cat(parts, 1).unsqueeze(1) * self.column / CUT  # (B, F, P), each row its column's alone
        u = u.masked_fill(absent.unsqueeze(-1), 0.0)
        if self.pooled:
            u = u.sum(1, keepdim=True) * len(self.cardinality) ** -0.5
        rest = (1 - u.square().sum(-1, keepdim=True)).clamp(min=0).sqrt()
        tokens = torch.cat([rest, u], -1) @ self.axes
        return tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=x.device)
