"""A model's predictions of a split: their metrics, and the files they are kept in."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from crossfade.cache.features import known_features
from crossfade.data.module import DataModule
from crossfade.model import FusionModel
from crossfade.runs import RunFolder
from crossfade.seeding import seeded
from crossfade.targets.base import Target
from crossfade.training.module import compute_metrics


@dataclass
class Scored:
    """Predictions of one model on one split, per target, with the truth."""

    prediction: dict[str, Tensor]
    truth: dict[str, Tensor]
    metrics: dict[str, float]  # "<target>/<metric>"
    ids: list[str]
    groups: list[str]


def score(model: FusionModel, data: DataModule, split: str, device: torch.device | None = None) -> Scored:
    """Predict every sample of a split, and compute the metrics of every target."""
    device = device or torch.device("cpu")
    model = model.to(device).eval()
    rows = data.split[split]
    prediction = predictions(model, data, split, device)
    truth = {name: data.samples.truth[name][torch.from_numpy(rows)] for name in model.targets if name in data.targets}
    ids, groups = ([str(column[i]) for i in rows] for column in (data.frame.ids, data.frame.groups))
    scored = Scored(prediction, truth, {}, ids, groups)
    for name in truth:  # of new samples nobody knows it
        target = model.targets[name]
        assert isinstance(target, Target)
        metrics = compute_metrics(target, prediction[name], truth[name])
        if target.jitter:
            noisy = predictions(model, data, split, device, target.jitter)[name]
            metrics |= target.stability(prediction[name], noisy)
        scored.metrics |= {f"{name}/{metric}": value for metric, value in metrics.items()}
    model.cpu()
    return scored


def predictions(
    model: FusionModel, data: DataModule, split: str, device: torch.device, jitter: float = 0.0
) -> dict[str, Tensor]:
    """The predictions of every target for a split; `jitter`: sd of noise on what the encoders take, words apart."""
    outputs: dict[str, list[Tensor]] = {name: [] for name in model.targets}
    known = contextlib.nullcontext() if jitter else known_features(model, data, split, device)
    with torch.no_grad(), seeded(data.seed, "jitter"), known:
        for batch in data.loader(split):
            if jitter:
                batch.inputs = {name: _noisy(x, jitter) for name, x in batch.inputs.items()}
            batch = batch.to(device)
            for name, output in model(batch.inputs, batch.presence, batch.features).items():
                outputs[name].append(output.cpu())
    model.targets.cpu()  # what a prediction takes of its target (a mean, a scale) must be where the outputs are
    found = {}
    for name, parts in outputs.items():
        target = model.targets[name]
        assert isinstance(target, Target)
        found[name] = target.prediction(torch.cat(parts))
    model.targets.to(device)
    return found


def _noisy(x: Tensor, jitter: float) -> Tensor:
    return x + jitter * torch.randn_like(x) if x.is_floating_point() else x


def predictions_table(model: FusionModel, scored: Scored, with_truth: bool = True) -> pd.DataFrame:
    """One row a sample: id, group, then per target the truth, the prediction, its probabilities, its main metric."""
    parts = [pd.DataFrame({"id": scored.ids, "group": scored.groups})]
    for name, target in model.targets.items():
        assert isinstance(target, Target)
        truth = scored.truth[name].numpy() if with_truth else None
        columns = target.columns(scored.prediction[name].numpy(), truth)
        if with_truth and (each := scores_of(target, scored.prediction[name], scored.truth[name])) is not None:
            columns[f"{name}.{target.main}"] = each
        parts.append(columns)
    return pd.concat(parts, axis=1)


def scores_of(target: Target, prediction: Tensor, truth: Tensor) -> np.ndarray | None:
    """The main metric of each sample, NaN where the truth is unknown; None where it is not their mean."""
    known = target.known(truth)
    each = target.per_sample(prediction[known], target.measurable(truth[known]))
    if each is None:
        return None
    out = np.full(len(truth), np.nan)
    out[known.numpy()] = each.numpy()
    return out


def predictions_arrays(model: FusionModel, scored: Scored) -> dict[str, dict[str, np.ndarray]]:
    """What does not fit the table (masks, boxes, futures), by target, each with the samples' ids."""
    found = {}
    for name, target in model.targets.items():
        assert isinstance(target, Target)
        if arrays := target.arrays(scored.prediction[name].numpy()):
            found[name] = {"id": np.array(scored.ids), **arrays}
    return found


def write_predictions(run: RunFolder, split: str, model: FusionModel, scored: Scored) -> None:
    """predictions/<split>.csv, and predictions/<split>_<target>.npz of the targets that need one."""
    run.write_predictions(split, predictions_table(model, scored))
    for name, arrays in predictions_arrays(model, scored).items():
        run.write_arrays(split, name, arrays)
