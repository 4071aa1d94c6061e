"""How far predicted futures end up from the true ones.

With modes k and steps t of an agent, d_kt = |p_kt − y_t| in m: ADE = min_k mean_t d_kt, FDE = min_k d_kT, an agent is
missed where FDE > 2 m (Chang et al. 2019, arXiv:1911.02620, section 4.2). Steps in which an agent was not seen do not
count; one that was not seen at the last step has no FDE. The mode nearest by ADE has probability p: the Brier-ADE is
ADE + (1 − p)², as Argoverse 2 ranks by the FDE (Wilson et al. 2021, arXiv:2301.00493). Several futures without knowing
which are worth less than one that is known.
"""

from __future__ import annotations

import torch
from torch import Tensor

MISS = 2.0  # m


def errors(futures: Tensor, probability: Tensor, truth: Tensor) -> Tensor:
    """Futures (…, M, T, 2), probabilities (…, M), truth (…, T, 2) → (…, 5).

    ADE, FDE, missed, the likeliest mode's ADE, Brier-ADE; NaN where it is not defined.
    """
    seen = ~truth.isnan().any(-1)
    away = (futures - truth.nan_to_num(0.0).unsqueeze(-3)).norm(dim=-1)  # (…, M, T)
    each = (away * seen.unsqueeze(-2)).sum(-1) / seen.sum(-1, keepdim=True)  # 0/0 = NaN where never seen
    end = torch.where(seen[..., -1:], away[..., -1], float("nan")).amin(-1)
    missed = torch.where(end.isnan(), end, (end > MISS).to(end.dtype))
    likeliest = each.gather(-1, probability.argmax(-1, keepdim=True)).squeeze(-1)
    nearest = each.nan_to_num(0.0).argmin(-1, keepdim=True)
    brier = each.amin(-1) + (1 - probability.gather(-1, nearest).squeeze(-1)) ** 2
    return torch.stack([each.amin(-1), end, missed, likeliest, brier], -1)
