"""The contract of a fusion strategy, T(x₁, …, x_M)."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from torch import Tensor, nn


class Fused(NamedTuple):
    """What a strategy returns.

    tokens (B, G, L, D), mask (B, G, L) True where a token counts, weight (B, G).
    Feature-level strategies have one branch, G = 1, of weight 1. A decision-level strategy has one branch per
    modality: core and head run on each, and the target mixes the G predictions as the strategy's `mixing` says.
    """

    tokens: Tensor
    mask: Tensor
    weight: Tensor


class Fusion(nn.Module):
    """Base of all strategies: `forward(tokens, mask) -> Fused`.

    tokens (B, M, K, D): normalised embeddings, M modalities in the sorted order of their names. What stands where the
    mask is False must not matter: `crossfade audit` looks.
    mask (B, M, K) bool: True where the token exists. A modality is absent where all its K are False.
    At least one modality of each sample is present.

    A subclass is built as `Strategy(modalities: tuple[str, ...], width: int, tokens: int, **yaml fields)` and sets
    `length`, the L of its output, where that is not K; L is a multiple of K, so that dense targets find their grid.
    `unfolded` is how many numbers it makes of a sample at its widest, where these are far more than its tokens:
    evaluation then takes fewer samples at once.
    No control flow on values, no `.item()`, no in-place change: safe for vmap, export and compile. What is drawn comes
    from `layers.draws`, attention from `layers.blocks.attend`: then a run draws the same numbers in a stack as alone.

    `mixing` says how a target makes one prediction of the branches' (`Target.decide`): "mean", Σ_g w_g·p_g with
    weights that sum to 1; "product", ∏_g p_g^w_g, normalised; "evidence", Dempster's rule over those with w_g > 0.

    The docstring ends with the lines that docs/fusion.md is made of: `Absent:` what is done where a modality is
    absent, `Source:`, and `Cost:`, parameters and FLOPs a sample (of matrix products, forward), as formulas.
    """

    mixing: ClassVar[str] = "mean"

    def __init__(self, modalities: tuple[str, ...], width: int, tokens: int) -> None:
        super().__init__()
        self.modalities = modalities
        self.width = width
        self.tokens = tokens
        self.length = tokens
        self.unfolded = 0

    def forward(self, tokens: Tensor, mask: Tensor) -> Fused:
        raise NotImplementedError


def one_branch(tokens: Tensor, mask: Tensor) -> Fused:
    """Wrap feature-level tokens (B, L, D) and mask (B, L) as a single branch of weight 1; masked tokens become 0."""
    tokens = tokens.masked_fill(~mask.unsqueeze(-1), 0.0)
    return Fused(tokens.unsqueeze(1), mask.unsqueeze(1), tokens.new_ones(tokens.shape[0], 1))
