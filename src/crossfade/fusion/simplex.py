"""α, a point on the simplex over the modalities."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from crossfade.errors import UserError
from crossfade.fusion.base import Fusion
from crossfade.fusion.layers import masked_softmax, token_mean
from crossfade.layers.per_modality import PerModality


class WithAlpha(Fusion):
    """A strategy with `alpha`: {modality: weight}, None (even), or "learned" (α = softmax(θ), θ trained from 0).

    Raises UserError for anything else, and for weights of modalities that there are not.
    """

    fixed: Tensor

    def __init__(
        self,
        modalities: tuple[str, ...],
        width: int,
        tokens: int,
        alpha: dict[str, float] | str | None = None,
    ) -> None:
        super().__init__(modalities, width, tokens)
        if problem := _misgiven(alpha, modalities):
            raise UserError(
                f"alpha={alpha}: {problem} Give {{modality: weight}} of {', '.join(modalities)}, or learned."
            )
        self.learned = alpha == "learned"
        if self.learned:
            self.theta = nn.Parameter(torch.zeros(len(modalities)))
        else:
            even = 1 / len(modalities)
            weights = [even if not isinstance(alpha, dict) else alpha.get(m, 0.0) for m in modalities]
            self.register_buffer("fixed", torch.tensor(weights))

    @property
    def alpha(self) -> Tensor:
        """α (M,), non-negative, summing to 1."""
        return self.theta.softmax(0) if self.learned else self.fixed


def _misgiven(alpha: Any, modalities: tuple[str, ...]) -> str:
    """What is wrong with it, "" for nothing: a number would weigh one modality, and does not say which."""
    if isinstance(alpha, dict):
        unknown = [str(name) for name in alpha if name not in modalities]
        return f"there is no modality {unknown[0]}." if unknown else ""
    return "" if alpha is None or alpha == "learned" else "is no weight per modality."


class SampleAlpha(nn.Module):
    """α_m(x) = softmax_{m present}(w_m·x̄_m + b_m), x̄_m the mean of m's tokens: (B, M, K, D) → (B, M)."""

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__()
        self.score = PerModality(modalities, width, 1)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        score = self.score(token_mean(tokens, mask).unsqueeze(2)).flatten(1)
        return masked_softmax(score, mask.any(-1), 1)
