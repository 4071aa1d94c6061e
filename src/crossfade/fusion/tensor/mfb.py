"""Multimodal factorised bilinear pooling."""

from __future__ import annotations

from torch import Tensor, nn

from crossfade.fusion.base import Fused, Fusion, one_branch
from crossfade.fusion.tensor.products import product
from crossfade.layers.per_modality import PerModality


class MFB(Fusion):
    """z = √D·y/‖y‖, y = sign(s)·√|s|, s = Σ_r ∏_m U_{m,r}·x_m: (B, M, K, D) → (B, 1, K, D).

    Multimodal factorised bilinear pooling with `rank` = R factors a feature. √D keeps a token's size; 10⁻⁶ under the
    root keeps its derivative finite.

    Absent: the neutral factor 1
    Source: Yu et al. 2017, arXiv:1708.01471, eq. 3, with power and ℓ2 normalisation
    Cost: M·R·D² parameters, 2·K·M·R·D² FLOPs
    """

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int, rank: int = 4) -> None:
        super().__init__(modalities, width, tokens)
        self.rank = rank
        self.factors = PerModality(len(modalities), width, rank * width, bias=False)

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        factors = self.factors(tokens).masked_fill(~mask.unsqueeze(-1), 1.0)
        summed = product(factors).unflatten(-1, (self.rank, -1)).sum(-2)
        rooted = summed.sign() * (summed.abs() + 1e-6).sqrt()
        return one_branch(nn.functional.normalize(rooted, dim=-1) * self.width**0.5, mask.any(1))
