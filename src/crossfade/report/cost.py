"""What a model costs: parameters, FLOPs, time and memory of a prediction."""

from __future__ import annotations

import torch

from crossfade.batch import Batch
from crossfade.cost import first, flops, milliseconds
from crossfade.model import FusionModel

REPEATS = 20


def cost_of(model: FusionModel, batch: Batch) -> dict[str, str]:
    """Lines of the cost table, measured on this machine's CPU with this batch of samples."""
    model = model.eval().cpu()
    one = first(batch, 1)
    single, many = milliseconds(model, one, REPEATS), milliseconds(model, batch, REPEATS)
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
        "FLOPs a sample": f"{flops(model, one):,} (matrix products, convolutions and attention, forward)",
        "latency, one sample": f"{single:.1f} ms (median of {REPEATS}, {torch.get_num_threads()} thread(s))",
        f"latency, {len(batch.ids)} samples": f"{many:.1f} ms",
    }
