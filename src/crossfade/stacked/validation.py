"""Validation losses and metrics of n models at once."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from crossfade.model import FusionModel
from crossfade.module import compute_metrics
from crossfade.stacked.stack import Outputs
from crossfade.targets.base import Target


def measure(
    models: Sequence[FusionModel], outputs: Outputs, truth: dict[str, Tensor], counts: Sequence[int]
) -> list[dict[str, float]]:
    """What each run logs of its validation split: "val/loss" and "val/<target>/<metric>".

    outputs {target: (n, N, …)}, truth {target: (n or 1, N, …)}; of member j the first `counts[j]` samples count.
    """
    found = []
    for j, (model, count) in enumerate(zip(models, counts, strict=True)):
        values: dict[str, float] = {}
        total = 0.0
        for name, every in outputs.items():
            target = model.targets[name]
            assert isinstance(target, Target)
            output, own = every[j, :count], truth[name][min(j, len(truth[name]) - 1), :count]
            total = total + target.spec.weight * target.loss(output, own)
            metrics = compute_metrics(target, target.prediction(output), own)
            values |= {f"val/{name}/{metric}": value for metric, value in metrics.items()}
        found.append({**values, "val/loss": float(total)})
    return found
