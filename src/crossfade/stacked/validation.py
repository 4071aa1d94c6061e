"""Validation losses and metrics of n models at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from crossfade.model import FusionModel
from crossfade.stacked.stack import Outputs
from crossfade.targets.base import Target
from crossfade.training.module import compute_metrics


def measure(
    models: Sequence[FusionModel], outputs: Outputs, truth: dict[str, Tensor], counts: Sequence[int]
) -> list[dict[str, float]]:
    """What each run logs of its validation split: "val/loss" and "val/<target>/<metric>".

    outputs {target: (n, N, …)}, truth {target: (n or 1, N, …)}; of member j the first `counts[j]` samples count.
    """
    found: list[dict[str, float]] = [{} for _ in models]
    total = [torch.zeros((), device=next(iter(outputs.values())).device) for _ in models]
    for name, every in outputs.items():
        targets = [_target(model, name) for model in models]
        own = truth[name].expand(len(models), *truth[name].shape[1:])
        for j, (target, count) in enumerate(zip(targets, counts, strict=True)):
            total[j] = total[j] + target.spec.weight * target.loss(every[j, :count], own[j, :count])
        for values, scores in zip(found, _scores(targets, every, own, counts), strict=True):
            values |= {f"val/{name}/{metric}": value for metric, value in scores.items()}
    return [{**values, "val/loss": float(loss)} for values, loss in zip(found, total, strict=True)]


def _target(model: FusionModel, name: str) -> Target:
    target = model.targets[name]
    assert isinstance(target, Target)
    return target


def _scores(targets: Sequence[Target], output: Tensor, truth: Tensor, counts: Sequence[int]) -> list[dict[str, float]]:
    """The metrics of each model: at once where the target knows how, else one model after another."""
    prediction = [target.prediction(one) for target, one in zip(targets, output, strict=True)]
    if not truth.is_floating_point():
        beyond = torch.arange(truth.shape[1], device=truth.device) >= torch.tensor(counts, device=truth.device)[:, None]
        stacked = torch.stack(prediction).float().cpu()
        hidden = truth.masked_fill(beyond.view(*beyond.shape, *[1] * (truth.ndim - 2)), -1).cpu()
        if (found := targets[0].scores(stacked, hidden)) is not None:
            columns = {name: values.tolist() for name, values in found.items()}
            return [{name: values[j] for name, values in columns.items()} for j in range(len(targets))]
    return [
        compute_metrics(target, one[:count], own[:count])
        for target, one, own, count in zip(targets, prediction, truth, counts, strict=True)
    ]
