"""A table's linear map: what there is to compare when encoders should not compute anything themselves."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from crossfade.encoders.table import TableEncoder
from crossfade.specs import ModalitySpec


class LinearTable(TableEncoder):
    """Columns (B, F), NaN = missing entry → mean_f (w_f·x_f + b_f), (B, 1, D_e), or the F tokens, (B, F, D_e).

    Tokens as in `TableEncoder`; nothing but sums follows. With the embedding's projection it is one linear map, of the
    numbers and of the categories' indicators, before the embedding's normalisation.
    """

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        hidden: int = 64,
        frozen: bool = False,
        pool: str = "mean",
        shared: bool = False,
    ) -> None:
        super().__init__(spec, fitted, hidden=hidden, frozen=frozen, pool="none", shared=shared)
        self.mean = pool == "mean"

    def columns(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """One token per column (B, F, D_e) and their mask."""
        return super().forward(x)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tokens, mask = self.columns(x)
        return (tokens.mean(1, keepdim=True), mask[:, :1]) if self.mean else (tokens, mask)
