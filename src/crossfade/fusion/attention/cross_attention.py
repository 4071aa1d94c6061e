"""Cross-attention in directed pairs: each modality asks each other one."""

from __future__ import annotations

import torch
from torch import Tensor

from crossfade.fusion.attention.from_others import FromOthers
from crossfade.fusion.base import Fused, one_branch
from crossfade.layers.draws import dropout


class CrossAttention(FromOthers):
    """z_m = x_m + O_m·mean_{j ≠ m present}(MHA(Q_m·x_m, K_j·x_j, V_j·x_j)): (B, M, K, D) → (B, 1, M·K, D).

    Crossmodal attention of every directed pair j → m; the inputs are already normalised. The mean over the sources
    takes the place of the paper's concatenation, so that any may be absent.

    Absent: no source; its own tokens are masked
    Source: Tsai et al. 2019, arXiv:1906.00295 (MulT), eq. 1
    Cost: 4·M·D² + 4·M·D parameters, 8·M·K·D² + 4·M²·K·(K + 1)·D FLOPs
    """

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        many = len(self.modalities)
        query = self.query(tokens).flatten(1, 2).unsqueeze(1).expand(-1, many, -1, -1)  # one copy per source
        parts = query, self.key(tokens), self.value(tokens), mask.unsqueeze(2)
        y = self.attend(*(part.flatten(0, 1) for part in parts))
        y = y.unflatten(0, (-1, many)).unflatten(2, (many, -1))  # (B, source, target, K, D)
        here = mask.any(-1)
        pair = (here.unsqueeze(2) & ~torch.eye(many, dtype=torch.bool, device=mask.device)).to(y.dtype)
        share = pair / pair.sum(1, keepdim=True).clamp(min=1)
        heard = (share[..., None, None] * y).sum(1)
        heard = dropout(self.out(heard), self.dropout, self.training)
        return one_branch((tokens + heard).flatten(1, 2), mask.flatten(1))
