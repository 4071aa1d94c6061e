"""The tensor fusion network: outer product of all modalities."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad

from crossfade.errors import UserError
from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.budget import outer_product_problem
from crossfade.layers.per_modality import PerModality


class TFN(Fusion):
    """z = W·vec(⊗_m [U_m·x_m + b_m; 1]) + b: (B, M, K, D) → (B, 1, K, D).

    The tensor fusion network: all products of features of all modalities, of every order. Each modality is first
    brought to `hidden` = H features, since W has (H + 1)^M·D weights. Raises UserError where they would take more
    than `memory_gb` GiB in training (weights, gradients and AdamW's two moments in float32).

    Absent: (0, …, 0, 1), which leaves the products of the others
    Source: Zadeh et al. 2017, arXiv:1707.07250, section 4.2
    Cost: M·D·H + M·H + (H + 1)^M·D + D parameters, 2·K·(M·D·H + (H + 1)^M·D) FLOPs
    """

    def __init__(
        self, modalities: tuple[str, ...], width: int, tokens: int, hidden: int = 8, memory_gb: float = 1.0
    ) -> None:
        super().__init__(modalities, width, tokens)
        problem = outer_product_problem(len(modalities), width, hidden, memory_gb)
        if problem:
            raise UserError(problem)
        self.reduce = PerModality(len(modalities), width, hidden)
        products = (hidden + 1) ** len(modalities)
        self.unfolded = tokens * products
        self.project = nn.Linear(products, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        reduced = self.reduce(tokens).masked_fill(~mask.unsqueeze(-1), 0.0)
        outer, *rest = pad(reduced, (0, 1), value=1.0).unbind(1)
        for factor in rest:
            outer = (outer.unsqueeze(-1) * factor.unsqueeze(-2)).flatten(-2)
        return one_branch(self.project(outer), mask.any(1))
