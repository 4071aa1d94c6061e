"""What a model costs: parameters, FLOPs, time and memory of a prediction."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from crossfade.batch import Batch
from crossfade.evaluation.cost import first, flops, milliseconds
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
    kept = kept_for_backward(copy.deepcopy(model).train(), batch)
    state = size + 3 * trained_size(model)
    by_part = {
        "encoders": sum(p.numel() for p in model.encoders.parameters()),
        "fusion": sum(p.numel() for p in model.fusion.parameters()),
        "core": sum(p.numel() for p in model.core.parameters()),
    }
    parts = ", ".join(f"{name} {count:,}" for name, count in by_part.items())
    return {
        "parameters": f"{every:,} ({trained:,} trained): {parts}",
        "weights": f"{size / 2**20:.1f} MiB",
        f"memory, a training step of {len(batch.ids)} samples": (
            f"{(state + kept) / 2**20:.1f} MiB: weights, gradients and AdamW's moments {state / 2**20:.1f}, "
            f"activations kept for the backward pass {kept / 2**20:.1f}"
        ),
        "FLOPs a sample": f"{flops(model, one):,} (matrix products, convolutions and attention, forward)",
        "latency, one sample": f"{single:.1f} ms (median of {REPEATS}, {torch.get_num_threads()} thread(s))",
        f"latency, {len(batch.ids)} samples": f"{many:.1f} ms",
    }


def trained_size(model: nn.Module) -> int:
    """Bytes of the parameters that are trained."""
    return sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)


def kept_for_backward(model: nn.Module, batch: Batch) -> int:
    """Bytes of the tensors that a forward pass keeps for its backward pass, the model's own and the inputs apart.

    Views of one storage count once. It grows with the batch, where weights and optimiser do not.
    """
    own = {t.untyped_storage().data_ptr() for t in [*model.parameters(), *model.buffers(), *batch.inputs.values()]}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = model(batch.inputs, batch.presence)  # holds the graph, and so what it keeps, until all is counted
    del out
    return sum(kept.values())
