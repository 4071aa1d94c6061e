"""What a fusion strategy can do with two modalities, found by trying it: average decisions, add, or mix.

averages   a decision per modality, and their mean (or one of weights)
adds       f_1(x_1) + f_2(x_2): features of a sum or of a linear map, or log probabilities of a product of experts
mixes      anything else: x_2 changes what x_1 means

Feature-level strategies add where the mixed second difference of fusion and core together is zero,

    F(x_1, x_2) − F(x_1', x_2) − F(x_1, x_2') + F(x_1', x_2')

so that a Transformer core makes all of them mix. The family of a strategy is the module that its class is in.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from crossfade.build import build
from crossfade.config import RunConfig
from crossfade.fusion.base import Fusion
from crossfade.registry import find_part, groups, read_option
from crossfade.seeding import seeded

SAMPLES = 8
NONE = 1e-4  # of the sizes of the terms: below it a second difference is rounding
WIDTH = 16


@dataclass(frozen=True)
class Strategy:
    """A strategy in a run's surroundings: family, way, and how many parameters it has of its own."""

    name: str
    family: str
    way: str
    parameters: int


def strategies(config: RunConfig) -> list[Strategy]:
    """Every strategy of conf/fusion with the run's core and number of modalities and tokens."""
    found = []
    for name in groups()["fusion"]:
        fields = {k: (None if v == "${alpha}" else v) for k, v in read_option("fusion", name).items()}
        found.append(strategy_of(fields, config, name))
    return found


def strategy_of(part: Mapping[str, Any], config: RunConfig, name: str | None = None) -> Strategy:
    """The strategy that a config's `fusion` describes, and what it does with this config's core."""
    with seeded(0, "advise"):
        fusion: Fusion = build(part, modalities=("p", "q"), width=WIDTH, tokens=config.tokens).eval()
        core: nn.Module = build(config.core, width=WIDTH, length=fusion.length).eval()
        _shake(fusion)
        way = _way(fusion, core, config.tokens)
    if name is None:
        known = find_part("fusion", str(part["_target_"]))
        name = known[0] if known else str(part["_target_"]).rpartition(".")[2]
    count = sum(p.numel() for p in fusion.parameters())
    return Strategy(name, type(fusion).__module__.removeprefix("crossfade.fusion.").partition(".")[0], way, count)


def _shake(module: nn.Module) -> None:
    """Move parameters off first values at which a part does nothing yet."""
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.3 * torch.randn_like(p))


def _way(fusion: Fusion, core: nn.Module, tokens: int) -> str:
    one, two = torch.randn(2, 2, SAMPLES, tokens, WIDTH)
    mask = torch.ones(SAMPLES, 2, tokens, dtype=torch.bool)
    corners = []
    with torch.no_grad():
        for i, j in itertools.product((0, 1), repeat=2):
            fused = fusion(torch.stack([one[i], two[j]], 1), mask)
            if fused.weight.shape[1] > 1:
                return "averages" if fusion.mixing == "mean" else "adds"
            corners.append(core(fused.tokens.flatten(0, 1), fused.mask.flatten(0, 1)).pooled)
    a, b, c, d = corners
    size = torch.stack(corners).std(0).mean()
    return "adds" if (a - b - c + d).abs().mean() < NONE * size else "mixes"
