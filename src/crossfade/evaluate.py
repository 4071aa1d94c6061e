"""A run reopened from its folder alone: config, data, weights, and the numbers on a split."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from crossfade.build import build, build_model, encoder_part, modality_specs
from crossfade.checkpoint import load_weights
from crossfade.config import RunConfig
from crossfade.data.module import DataModule
from crossfade.data.source import Source
from crossfade.data.transforms import make_transform
from crossfade.encoders.base import Encoder
from crossfade.errors import UserError
from crossfade.features import known_features
from crossfade.model import FusionModel
from crossfade.module import compute_metrics
from crossfade.runs import RunFolder
from crossfade.seeding import seeded
from crossfade.specs import TargetSpec
from crossfade.stacked.journal import settle_unless_held
from crossfade.targets.base import Target

log = logging.getLogger("crossfade")


@dataclass
class Scored:
    """Predictions of one model on one split, per target, with the truth."""

    prediction: dict[str, Tensor]
    truth: dict[str, Tensor]
    metrics: dict[str, float]  # "<target>/<metric>"
    ids: list[str]
    groups: list[str]


def build_data(
    config: RunConfig, source: Source | None = None, targets: dict[str, TargetSpec] | None = None
) -> DataModule:
    """The DataModule of a config, not prepared yet; of another source or other targets where they are given."""
    specs = modality_specs(config)
    if targets is None:
        targets = {name: config.target[name] for name in config.task.targets}
    d = config.data
    if source is None:
        source = build(d.source or {}, modalities=specs, targets=targets, seed=config.seed)
    return build(
        {"_target_": d.target_},
        source=source,
        transforms={name: make_transform(spec, encoder_part(config, spec)) for name, spec in specs.items()},
        targets=targets,
        seed=config.seed,
        batch_size=d.batch_size,
        workers=d.workers,
        split=d.split,
        fold=d.fold,
        folds=config.folds,
        inner_fold=d.inner_fold,
        inner_folds=d.inner_folds,
        on_error=d.on_error,
        memory_gb=d.memory_gb,
        absence=build(config.absence, modalities=tuple(specs)) if config.absence else None,
        cache_gb=config.features.max_gb if config.features.cache else None,
    )


def reopen_config(folder: RunFolder) -> RunConfig:
    """The config that the run was made with."""
    return folder.run_config()


def reopen_data(config: RunConfig, folder: RunFolder) -> DataModule:
    """The run's data, with what its training split taught."""
    try:
        data = build_data(config)
        data.prepare(folder.fitted())
    except UserError as error:
        raise UserError(
            *error.problems,
            f"{folder.path} reads its data from where they were when it was made. If they have moved, put them back, "
            f"or say where they are now (manifest, root) under data and data.source in {folder.config_file}.",
        ) from error
    return data


def reopen_model(
    config: RunConfig, folder: RunFolder, checkpoint: str, known: dict[str, Encoder] | None = None
) -> FusionModel:
    """The run's model with the weights of checkpoints/<checkpoint>.ckpt, in evaluation mode.

    `known`: frozen encoders that other runs have built already, see `build_model`.
    """
    settle_unless_held(config, folder)
    model = build_model(config, folder.fitted(), given_weights=False, known=known)
    load_weights(model, folder.checkpoints / f"{checkpoint}.ckpt")
    return model.eval()


def device_of(config: RunConfig) -> torch.device:
    """Where the trainer's accelerator computes."""
    gpu = config.trainer.accelerator in ("gpu", "cuda", "auto") and torch.cuda.is_available()
    return torch.device("cuda" if gpu else "cpu")


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


def evaluate(folder: Path, checkpoint: str = "best", split: str = "test") -> dict[str, Any]:
    """Evaluate a run from its folder alone; print the table and return {"metrics": …, "samples": …}.

    Writes predictions/<split>.csv. Raises UserError for a folder that is no run, a split or checkpoint that does not
    exist, and a checkpoint that cannot be read or does not fit.
    """
    from crossfade.reporting import print_evaluation

    if split not in ("train", "val", "test"):
        raise UserError(f"split={split}: allowed are train, val and test.")
    started = time.monotonic()
    run = RunFolder.open(folder)
    config = reopen_config(run)
    if config.folds is not None and config.data.fold is None:
        folds = sorted((run.path / f"fold_{i}" for i in range(config.folds)), key=lambda f: f.name)
        if lacking := [fold.name for fold in folds if not RunFolder(fold).summary_file.exists()]:
            raise UserError(f"{run.path}: {', '.join(lacking)} not finished. Go on with it first: resume={run.path}")
        return {"folds": [evaluate(fold, checkpoint, split) for fold in folds]}
    model = reopen_model(config, run, checkpoint)
    data = reopen_data(config, run)
    _warn_of_other_data(run, data)
    scored = score(model, data, split, device_of(config))
    write_predictions(run, split, model, scored)
    result = {"metrics": scored.metrics, "samples": len(scored.ids), "checkpoint": checkpoint, "split": split}
    print_evaluation(run, result, time.monotonic() - started)
    return result


def _warn_of_other_data(run: RunFolder, data: DataModule) -> None:
    """Other data than the run was made with may be split otherwise: its training samples may be among the test's."""
    if not run.is_finished():
        log.warning("%s is not finished: this is its best weights so far. Go on with it: resume=%s", run.path, run.path)
    if run.summary_file.exists() and run.summary()["data"] != data.source.fingerprint():
        log.warning(
            "The data are not those that %s was made with (files or cells have changed), so the numbers may differ, "
            "and training samples may stand in the test split.",
            run.path,
        )
