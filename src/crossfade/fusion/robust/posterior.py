"""A product of Gaussian experts: an absent modality leaves the posterior wider."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.layers.per_modality import PerModality


class Posterior(Fusion):
    """z = Σ_m t_m ⊙ μ_m / (1 + Σ_m t_m), over those present: (B, M, K, D) → (B, 1, K, D).

    The mean of a product of Gaussian experts, N(μ_m, 1/t_m) for each modality and a prior N(0, 1): μ_m = W_m·x_m + b_m,
    precision t_m = softplus(V_m·x_m + c_m). The mean alone, in training too: no draw, no KL term.

    Absent: left out of the product
    Source: Wu & Goodman 2018, arXiv:1802.05335 (MVAE), eq. 4 (the product); its mean: section 2.1
    Cost: 2·M·D² + 2·M·D parameters, 4·K·M·D² FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__(modalities, width, tokens)
        self.expert = PerModality(len(modalities), width, 2 * width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        mean, score = self.expert(tokens).chunk(2, -1)
        precision = softplus(score).masked_fill(~mask.unsqueeze(-1), 0.0)
        return one_branch((precision * mean).sum(1) / (1 + precision.sum(1)), mask.any(1))
