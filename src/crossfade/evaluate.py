"""A run reopened from its folder alone: config, data, weights, and the numbers on a split."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from crossfade.build import build, build_model, encoder_part, modality_specs
from crossfade.checkpoint import load_weights
from crossfade.config import RunConfig
from crossfade.data.module import DataModule
from crossfade.data.source import Source
from crossfade.data.transforms import make_transform
from crossfade.errors import UserError
from crossfade.model import FusionModel
from crossfade.module import compute_metrics
from crossfade.runs import RunFolder
from crossfade.specs import TargetSpec
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
        on_error=d.on_error,
        memory_gb=d.memory_gb,
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


def reopen_model(config: RunConfig, folder: RunFolder, checkpoint: str) -> FusionModel:
    """The run's model with the weights of checkpoints/<checkpoint>.ckpt, in evaluation mode."""
    model = build_model(config, folder.fitted(), given_weights=False)
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
    outputs: dict[str, list[Tensor]] = {name: [] for name in model.targets}
    truths: dict[str, list[Tensor]] = {name: [] for name in model.targets}
    ids: list[str] = []
    with torch.no_grad():
        for batch in data.loader(split):
            inputs = {name: x.to(device) for name, x in batch.inputs.items()}
            for name, output in model(inputs, batch.presence.to(device)).items():
                outputs[name].append(output.cpu())
                if name in batch.truth:
                    truths[name].append(batch.truth[name])
            ids += batch.ids
    model.cpu()
    groups = [str(data.frame.groups[i]) for i in data.split[split]]
    known = {name: torch.cat(parts) for name, parts in truths.items() if parts}
    scored = Scored({}, known, {}, ids, groups)
    for name, target in model.targets.items():
        assert isinstance(target, Target)
        scored.prediction[name] = target.prediction(torch.cat(outputs[name]))
        if name not in known:
            continue  # new samples, whose truth nobody knows
        metrics = compute_metrics(target, scored.prediction[name], known[name])
        scored.metrics |= {f"{name}/{metric}": value for metric, value in metrics.items()}
    return scored


def predictions_table(model: FusionModel, scored: Scored, with_truth: bool = True) -> pd.DataFrame:
    """One row a sample: id, group, then per target the truth, the prediction and its probabilities."""
    parts = [pd.DataFrame({"id": scored.ids, "group": scored.groups})]
    for name, target in model.targets.items():
        assert isinstance(target, Target)
        truth = scored.truth[name].numpy() if with_truth else None
        parts.append(target.columns(scored.prediction[name].numpy(), truth))
    return pd.concat(parts, axis=1)


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
    run.write_predictions(split, predictions_table(model, scored))
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
