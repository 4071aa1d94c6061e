"""Tables whose numbers nearly repeat each other: decorrelated first, then a linear map."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from crossfade.encoders.linear import LinearTable
from crossfade.specs import ModalitySpec

CUT = 10.0  # as the transform cuts z-scores: what hardly varied in training may be far out in a new sample


class WhitenedTable(LinearTable):
    """Columns (B, F), NaN = missing entry → mean_f t_f, (B, 1, D_e), or the tokens t_f, (B, F, D_e), one per column.

    z = (Σ + ρI)^(−1/2) x of the standardised numbers x, a missing one as 0, cut off at ±10; Σ is their covariance in
    the training split (`fitted["covariance"]`), ρ the `ridge`. ZCA-cor whitening (Kessy, Lewin & Strimmer 2018,
    doi:10.1080/00031305.2016.1277159, table 1) keeps each z_f as close to its x_f as can be. Then t_f = w_f·z_f + b_f,
    and a vector of its own is added where x_f is missing; categories as in `TableEncoder`.

    Why: w·x on strongly correlated columns needs large, opposed weights for small differences (a mean and a minimum of
    one sensor), which gradient descent reaches slowly; on z all directions are learned at one speed.
    """

    whitening: Tensor
    place: Tensor
    is_number: Tensor

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        hidden: int = 64,
        ridge: float = 1e-3,
        frozen: bool = False,
        pool: str = "mean",
        shared: bool = False,
    ) -> None:
        super().__init__(spec, fitted, hidden, frozen, pool, shared)
        self.register_buffer("place", torch.tensor(self.numbers, dtype=torch.int64))
        self.register_buffer("is_number", torch.tensor([c == 0 for c in fitted["cardinality"]]))
        covariance = torch.tensor(fitted["covariance"], dtype=torch.float64).view(len(self.numbers), len(self.numbers))
        variance, direction = torch.linalg.eigh(covariance)
        scaled = direction * (variance.clamp(min=0) + ridge).rsqrt()
        self.register_buffer("whitening", (scaled @ direction.T).float())

    def columns(self, x: Tensor) -> tuple[Tensor, Tensor]:
        absent = x.isnan()
        if self.numbers:
            z = (x[:, self.numbers].nan_to_num(0.0) @ self.whitening).clamp(-CUT, CUT)
            x = x.index_copy(1, self.place, z.to(x.dtype))  # a product in mixed precision is bfloat16
        tokens, mask = super().columns(x)  # a missing category has its vector already
        gone = (absent & self.is_number).unsqueeze(-1)
        return tokens + torch.where(gone, self.missing.to(tokens.dtype), 0.0), mask
