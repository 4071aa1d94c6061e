"""What a prediction costs: operations and time, counted and measured on this machine's CPU."""

from __future__ import annotations

import statistics
import time

import torch
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from crossfade.batch import Batch
from crossfade.model import FusionModel


def first(batch: Batch, count: int) -> Batch:
    """The first samples of a batch."""
    return Batch(
        inputs={name: x[:count] for name, x in batch.inputs.items()},
        presence=batch.presence[:count],
        truth={name: t[:count] for name, t in batch.truth.items()},
        ids=batch.ids[:count],
        features={},
    )


@torch.no_grad()
def flops(model: FusionModel, batch: Batch) -> int:
    """Floating-point operations of one forward pass: matrix products, convolutions and attention."""
    # the counter hooks modules for their gradients, and fails on a parameter's view that goes into one (perceiver)
    fixed = {name: parameter.detach() for name, parameter in model.named_parameters()}
    # and it does not know the fused attention of a CPU
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        functional_call(model, fixed, (batch.inputs, batch.presence))
    return int(counter.get_total_flops())


@torch.no_grad()
def milliseconds(model: FusionModel, batch: Batch, repeats: int) -> float:
    """The median time of a forward pass in ms, after one that does not count."""
    model(batch.inputs, batch.presence)
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        model(batch.inputs, batch.presence)
        taken.append(time.perf_counter() - started)
    return 1000 * statistics.median(taken)
