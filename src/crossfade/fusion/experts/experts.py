"""A mixture of experts whose routing knows the modalities."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crossfade.errors import UserError
from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.layers import present_mean


class Experts(Fusion):
    """z = mean_{m present} Σ_i g_i(x_m)·F_i(x_m), F_i(x) = W_i·GELU(V_i·x + b_i) + c_i: (B, M, K, D) → (B, 1, K, D).

    A sparse gate: g = softmax of the `top` largest of R·x_m + r_m, 0 elsewhere; r_m routes by modality. All
    `experts` = E are computed and the idle ones weighted 0, so that no shape depends on a value: sparse in what is
    learned, not in what is computed. A token's experts depend on it alone (no capacity is shared within a batch), and
    no balancing loss is added. `hidden` = H. Raises UserError for more `top` than `experts`.

    Absent: left out of the mean
    Source: Shazeer et al. 2017, arXiv:1701.06538, eq. 1 and 3 to 5, without noise
    Cost: E·(2·D·H + H + D) + E·D + M·E parameters, 4·M·K·E·(D·H + D) FLOPs
    """

    def __init__(
        self,
        modalities: tuple[str, ...],
        width: int,
        tokens: int,
        experts: int = 4,
        top: int = 2,
        hidden: int = 64,
    ) -> None:
        super().__init__(modalities, width, tokens)
        if top > experts:
            raise UserError(f"fusion.top={top}: more than fusion.experts={experts}. Give at most {experts}.")
        self.experts, self.top = experts, top
        self.route = nn.Linear(width, experts, bias=False)
        self.preference = nn.Parameter(torch.zeros(len(modalities), 1, experts))
        self.inner = nn.Linear(width, experts * hidden)
        self.outer = nn.Linear(experts * hidden, width, bias=False)  # the W_i side by side
        self.shift = nn.Parameter(torch.zeros(experts, width))

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        score = self.route(tokens) + self.preference
        chosen, number = score.topk(self.top, -1)
        gate = torch.zeros_like(score).scatter(-1, number, chosen.softmax(-1).to(score.dtype))
        inner = nn.functional.gelu(self.inner(tokens)).unflatten(-1, (self.experts, -1))
        z = self.outer((gate.unsqueeze(-1) * inner).flatten(-2)) + gate @ self.shift
        return one_branch(present_mean(z, mask), mask.any(1))
