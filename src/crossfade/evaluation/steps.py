"""How many embedded samples are fused at once in an evaluation."""

from __future__ import annotations

from torch import Tensor

from crossfade.model import FusionModel

TOKENS = 2**14  # so that a pattern is one pass of the core over a split, and memory stays bounded
NUMBERS = 2**26  # of a strategy that unfolds a sample to far more than its tokens: 256 MiB in float32


def samples_at_once(model: FusionModel, tokens: Tensor) -> int:
    """Of tokens (N, M, K, D): so many samples that neither they nor what fusion makes of them fill the memory."""
    _, modalities, length, _ = tokens.shape
    step = TOKENS // (modalities * length)
    if unfolded := model.fusion.unfolded:
        step = min(step, NUMBERS // int(unfolded))
    return max(1, step)
