"""How far predicted futures end up from the true ones.

With modes k and steps t of an agent, d_kt = |p_kt − y_t| in m: ADE = min_k mean_t d_kt, FDE = min_k d_kT, an agent is
missed where FDE > 2 m (Chang et al. 2019, arXiv:1911.02620, section 4.2). Steps in which an agent was not seen
do not count; one that was not seen at the last step has no FDE.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric

MISS = 2.0  # m


def errors(futures: Tensor, probability: Tensor, truth: Tensor) -> Tensor:
    """Futures (…, M, T, 2), probabilities (…, M), truth (…, T, 2) → (…, 4): ADE, FDE, missed, ADE of the likeliest mode.

    NaN where it is not defined.
    """
    seen = ~truth.isnan().any(-1)
    away = (futures - truth.nan_to_num(0.0).unsqueeze(-3)).norm(dim=-1)  # (…, M, T)
    each = (away * seen.unsqueeze(-2)).sum(-1) / seen.sum(-1, keepdim=True)  # 0/0 = NaN where never seen
    end = torch.where(seen[..., -1:], away[..., -1], float("nan")).amin(-1)
    missed = torch.where(end.isnan(), end, (end > MISS).to(end.dtype))
    likeliest = each.gather(-1, probability.argmax(-1, keepdim=True)).squeeze(-1)
    return torch.stack([each.amin(-1), end, missed, likeliest], -1)


class MeanOverAgents(Metric):
    """Mean of one of the `errors` over all agents of all samples that have it; NaN where none has."""

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, of: Callable[[Tensor, Tensor], Tensor], column: int) -> None:
        super().__init__()
        self.of, self.column = of, column
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        values = self.of(prediction, truth)[..., self.column]
        self.total += values.nansum().double()
        self.count += (~values.isnan()).sum()

    def compute(self) -> Tensor:
        return (self.total / self.count).float()
