"""Cross-modal reconstruction: an absent modality's tokens are predicted from those that are there."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm

from crossfade.imputation.base import Imputation
from crossfade.layers.masking import masked_mean
from crossfade.layers.per_modality import PerModality


class Reconstruction(Imputation):
    """v_mk = LN(B_m·GELU(A_m·(h_k + h̄) + p_mk) + c_m),   h_k = mean over the present j of (W_j·x_jk + b_j).

    h̄ is the mean of h over the K positions, so that a token is predicted from what lies at its place and from the
    whole; p_mk, learned, says which one is wanted. The mean takes any number of modalities in any pattern, the empty
    one too: then v_m is the same for all samples. LN as in the embedding.

    Trained beside the task, on modalities that are there and hidden for this alone:

        L + weight·mean over hidden (i, m, k) of ‖v_imk − x_imk‖²/D

    Each present modality of each sample is hidden with probability `rate`; x is taken as given (no gradient), or the
    embeddings would learn to be easy to predict. A mean of one batch, 1 for v = 0. The task's loss trains v too, where
    modalities are absent. After Zhao et al. 2021, doi:10.18653/v1/2021.acl-long.203 (MMIN), section 3, whose joint
    training of classification and imagination of the missing embedding it follows, with a small network in place of the
    cascaded autoencoders and no cycle; SMIL (Ma et al. 2021, arXiv:2103.05677) reconstructs likewise, by meta-learning.

    Cost: 3·M·D·H + (2 + K)·M·H + M·D parameters where H = `hidden`.
    """

    def __init__(
        self,
        modalities: tuple[str, ...],
        width: int,
        tokens: int,
        weight: float = 1.0,
        rate: float = 0.5,
        hidden: int = 64,
    ) -> None:
        super().__init__(modalities, width, tokens)
        self.weight, self.rate = weight, rate
        self.read = PerModality(len(modalities), width, hidden)
        self.mix = PerModality(len(modalities), hidden, hidden)
        self.place = nn.Parameter(torch.randn(len(modalities), tokens, hidden) * 0.02)
        self.write = PerModality(len(modalities), hidden, width)

    def values(self, tokens: Tensor, mask: Tensor) -> Tensor:
        seen = masked_mean(self.read(tokens).transpose(1, 2), mask.transpose(1, 2))  # (B, K, H)
        context = (seen + seen.mean(1, keepdim=True)).unsqueeze(1).expand(-1, len(self.modalities), -1, -1)
        return layer_norm(self.write(gelu(self.mix(context) + self.place)), (self.width,))

    def objective(self, loss: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        hidden = (torch.rand(mask.shape[:2], device=mask.device) < self.rate).unsqueeze(-1)
        kept, wanted = mask & ~hidden, mask & hidden
        guess = self.values(tokens.masked_fill(~kept.unsqueeze(-1), 0.0), kept)
        # two losses of one embedding: the difference at absent places would be of anything that stands there
        gap = (guess - tokens.detach()).masked_fill(~wanted.unsqueeze(-1), 0.0)
        return loss + self.weight * gap.square().sum() / (wanted.sum() * self.width).clamp(min=1)
