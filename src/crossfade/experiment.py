"""A run and what belongs to it: the fused model, each single modality alone, the folds of a cross-validation."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossfade.analysis.shapley import write_shares
from crossfade.build import build_data, check_encoders
from crossfade.config import RunConfig, effective
from crossfade.data.module import DataModule
from crossfade.encoders.base import Encoder
from crossfade.errors import UserError
from crossfade.evaluation.absence import score_patterns, summary_of, write_absence
from crossfade.evaluation.certainty import write_certainty
from crossfade.evaluation.perceptual import write_perceptual
from crossfade.evaluation.pictures import draw_targets
from crossfade.evaluation.reopen import device_of, reopen_model
from crossfade.evaluation.scored import score, write_predictions
from crossfade.evaluation.summary import main_resamples, prediction_cost, resamples_table, summarise
from crossfade.registry import part_name
from crossfade.results.reporting import finish_cross_validation, finish_run
from crossfade.results.tracked import tracked
from crossfade.runs import RunFolder, write_json
from crossfade.runs.lock import waiting_for
from crossfade.training.fit import train
from crossfade.training.stopwatch import seconds_before

log = logging.getLogger("crossfade")


def run(config: RunConfig, folder: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Train what the config asks for in this folder, print the table of results, and return the summary.

    A folder that holds a part of it already (an interrupted run, `resume=`) is continued: what is finished stays.
    """
    run_folder = RunFolder(folder)
    _check_same(config, run_folder)
    if run_folder.is_finished():
        print(f"{folder} is finished: nothing was trained. To score it again: crossfade evaluate run={folder}")
    try:
        if config.folds is not None and config.data.fold is None:
            return _cross_validate(config, run_folder, overrides)
        return _run(config, run_folder, overrides)
    except KeyboardInterrupt:
        print(f"To go on from its last epoch: resume={folder}", file=sys.stderr)
        raise


def _check_same(config: RunConfig, folder: RunFolder) -> None:
    """A folder that holds a run already takes no other one: its weights and its config would not belong together."""
    if not folder.config_file.exists():
        return
    here, there = effective(config), effective(folder.run_config())
    differing = [key for key in here if here[key] != there[key]]
    if differing:
        raise UserError(
            f"{folder.path} holds a run with other settings ({', '.join(differing)} differ). Go on with that one: "
            f"resume={folder.path}; or choose another folder for this one (hydra.run.dir, hydra.sweep.dir)."
        )


def _cross_validate(config: RunConfig, folder: RunFolder, overrides: Sequence[str]) -> dict[str, Any]:
    """One run per fold, in fold_<k>/; the summary is their mean and standard deviation."""
    assert config.folds is not None
    if not folder.config_file.exists():
        folder.write_start(config.dump(), overrides)
    with folder.running(), tracked(config, folder):
        summaries = []
        for fold in range(config.folds):
            print(f"── fold {fold + 1} of {config.folds}", flush=True)
            one = config.model_copy(update={"data": config.data.model_copy(update={"fold": fold})})
            inside = RunFolder(folder.path / f"fold_{fold}")
            summaries.append(_run(one, inside, [*overrides, f"data.fold={fold}"], quiet=True))
        return finish_cross_validation(config, folder, summaries)


def _run(config: RunConfig, folder: RunFolder, overrides: Sequence[str], quiet: bool = False) -> dict[str, Any]:
    if folder.is_finished():
        return folder.summary()
    folder.path.mkdir(parents=True, exist_ok=True)
    if not folder.config_file.exists():
        folder.write_start(config.dump(), overrides)
    with folder.running(), tracked(config, folder):
        check_encoders(config)
        data = build_data(config)
        # of an interrupted run: its weights go with its vocabulary
        data.prepare(folder.fitted() if folder.preprocessing_file.exists() else None)
        summary = train_and_score(config, folder, data, part_name("fusion", config.fusion["_target_"]))
        _finish(config, folder, data, summary, overrides, quiet)
    return summary


@dataclass
class Shared:
    """What runs of one architecture share when they are scored one after another: frozen encoders, and the cost."""

    encoders: dict[str, Encoder] = field(default_factory=dict)
    cost: dict[str, float] | None = None


def finish_trained(
    config: RunConfig,
    folder: Path,
    data: DataModule,
    seconds: float,
    overrides: Sequence[str] = (),
    shared: Shared | None = None,
) -> dict[str, Any]:
    """What `run` does after the training, for a run that was trained in a stack with others."""
    run_folder = RunFolder(folder)
    with run_folder.running(), tracked(config, run_folder):
        summary = _scored(config, run_folder, data, seconds, shared)
        _finish(config, run_folder, data, summary, overrides)
    return summary


def _finish(
    config: RunConfig,
    folder: RunFolder,
    data: DataModule,
    summary: dict[str, Any],
    overrides: Sequence[str],
    quiet: bool = False,
) -> None:
    """The single modalities, the summary with them, the table."""
    if config.singles and len(config.task.modalities) > 1:
        summary["singles"] = {name: single(config, folder, data, name, overrides) for name in config.task.modalities}
    folder.write_summary(summary)
    finish_run(config, folder, summary, quiet)


def train_and_score(config: RunConfig, folder: RunFolder, data: DataModule, label: str) -> dict[str, Any]:
    """Train, then `_scored`."""
    before = seconds_before(folder.checkpoints / "last.ckpt")
    started = time.monotonic()
    write_json(folder.preprocessing_file, data.fitted)
    train(config, folder, data, label)
    return _scored(config, folder, data, before + time.monotonic() - started)


def _scored(
    config: RunConfig, folder: RunFolder, data: DataModule, seconds: float, shared: Shared | None = None
) -> dict[str, Any]:
    """Reopen the run from its folder and score that: what is reported is what was saved."""
    checkpoint = "best" if (folder.checkpoints / "best.ckpt").exists() else "last"
    shared = shared or Shared()
    model = reopen_model(config, folder, checkpoint, shared.encoders)
    shared.cost = shared.cost or prediction_cost(model, data)
    scored = score(model, data, "test", device_of(config))
    write_predictions(folder, "test", model, scored)
    if config.figures is not False:
        draw_targets(folder, model, data, scored)
    resamples = main_resamples(model, scored)
    for name, values in resamples.items():
        folder.write_table(f"resamples_{name}", resamples_table(str(model.targets[name].main), values))
    summary = summarise(config, model, data, scored, resamples, shared.cost)
    summary |= {"checkpoint": checkpoint, "seconds": round(seconds, 3)}
    if config.patterns and len(model.modalities) > 1:
        found = score_patterns(model, data, "test", device_of(config))
        write_absence(folder, found)
        summary["absence"] = summary_of(found)
        summary["shapley"] = write_shares(folder, found, scored.ids, scored.groups)
        summary["perceptual"] = write_perceptual(folder, model, data, scored.groups, device_of(config))
        summary["certainty"] = write_certainty(folder, model, data, found, device_of(config))
    return summary


def single_config(config: RunConfig, name: str) -> RunConfig:
    """The same run with one modality alone: α = 1, so that it does not depend on the fusion strategy."""
    return config.model_copy(
        update={
            "name": name,
            "alpha": None,
            "singles": False,
            "imputation": None,
            "task": config.task.model_copy(update={"modalities": [name]}),
            "fusion": {"_target_": "crossfade.fusion.elementwise.weighted.Weighted", "alpha": {name: 1.0}},
            "logger": {},
        }
    )


def single(
    config: RunConfig, folder: RunFolder, data: DataModule, name: str, overrides: Sequence[str]
) -> dict[str, Any]:
    """The summary of one modality alone, trained in singles/<name>/, or once per sweep in the sweep's folder.

    Its "folder" says where it is, seen from the run's.
    """
    alone = single_config(config, name)
    place = _shared_place(config, alone, name) or RunFolder(folder.path / "singles" / name)
    place.path.mkdir(parents=True, exist_ok=True)
    with waiting_for(place.path / ".single.lock"):  # another job of the sweep may be training it
        if place.is_finished():
            summary = place.summary()
        else:
            if not place.config_file.exists():
                place.write_start(alone.dump(), [*overrides, f"task.modalities=[{name}]"])
            with place.running():
                summary = train_and_score(alone, place, data.of([name]), name)
                place.write_summary(summary)
    return summary | {"folder": os.path.relpath(place.path, folder.path)}


def _shared_place(config: RunConfig, alone: RunConfig, name: str) -> RunFolder | None:
    """Where the jobs of a sweep share this single-modality run: its name and the hash of its config."""
    if config.singles_cache is None:
        return None
    key = hashlib.sha256(json.dumps(effective(alone), sort_keys=True).encode()).hexdigest()[:12]
    return RunFolder(Path(config.singles_cache) / f"{name}_{key}")
