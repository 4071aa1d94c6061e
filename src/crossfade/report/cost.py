"""What a model costs: parameters, FLOPs, time and memory of a prediction."""

from __future__ import annotations

import statistics
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from crossfade.batch import Batch
from crossfade.model import FusionModel

REPEATS = 20


def cost_of(model: FusionModel, batch: Batch) -> dict[str, str]:
    """Lines of the cost table, measured on this machine's CPU with this batch of samples."""
    model = model.eval().cpu()
    one = _first(batch, 1)
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            model(one.inputs, one.presence)
        single, many = _milliseconds(model, one), _milliseconds(model, batch)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    every = sum(p.numel() for p in model.parameters())
    size = sum(t.numel() * t.element_size() for t in model.state_dict().values())
    by_part = {
        "encoders": sum(p.numel() for p in model.encoders.parameters()),
        "fusion": sum(p.numel() for p in model.fusion.parameters()),
        "core": sum(p.numel() for p in model.core.parameters()),
    }
    parts = ", ".join(f"{name} {count:,}" for name, count in by_part.items())
    return {
        "parameters": f"{every:,} ({trained:,} trained): {parts}",
        "weights": f"{size / 2**20:.1f} MiB",
        "FLOPs a sample": f"{counter.get_total_flops():,} (matrix products, convolutions and attention, forward)",
        "latency, one sample": f"{single:.1f} ms (median of {REPEATS}, {torch.get_num_threads()} thread(s))",
        f"latency, {len(batch.ids)} samples": f"{many:.1f} ms",
    }


def _first(batch: Batch, count: int) -> Batch:
    return Batch(
        inputs={name: x[:count] for name, x in batch.inputs.items()},
        presence=batch.presence[:count],
        truth={name: t[:count] for name, t in batch.truth.items()},
        ids=batch.ids[:count],
        features={},
    )


def _milliseconds(model: FusionModel, batch: Batch) -> float:
    model(batch.inputs, batch.presence)
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        model(batch.inputs, batch.presence)
        taken.append(time.perf_counter() - started)
    return 1000 * statistics.median(taken)
