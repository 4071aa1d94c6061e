"""What a prediction costs: every strategy can be counted, as the run does it, without gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import tiny
from crossfade.batch import Batch
from crossfade.evaluation.cost import flops

MODALITIES = ("camera", "note", "table")


def counted(fusion, tokens):
    model = tiny.model(MODALITIES, fusion, tokens, shared=True)
    return flops(model, Batch(tiny.inputs(MODALITIES, 1), torch.ones(1, 3, dtype=torch.bool), {}, ["a"], {}))


def test_the_products_within_attention_count():
    """`early` hands on the same tokens and multiplies nothing: what is more is that of docs/fusion.md."""
    length, width = 3 * 4, tiny.WIDTH
    assert counted("attention", 4) - counted("early", 4) == 8 * length * width**2 + 4 * length**2 * width


@pytest.mark.parametrize("fusion", tiny.options("fusion"))
@pytest.mark.parametrize("tokens", [1, 3])
def test_operations_of_every_strategy_are_those_counted_with_gradients(fusion, tokens):
    model = tiny.model(MODALITIES, fusion, tokens, shared=True)
    one = Batch(tiny.inputs(MODALITIES, 1), torch.ones(1, 3, dtype=torch.bool), {}, ["a"], {})
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(one.inputs, one.presence)
    assert flops(model, one) == counter.get_total_flops() > 0
    assert all(p.requires_grad for p in model.parameters())
