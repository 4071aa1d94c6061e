"""`crossfade evaluate`: a finished run's numbers on a split, from its folder alone."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from crossfade.data.module import DataModule
from crossfade.errors import UserError
from crossfade.evaluation.reopen import device_of, reopen_config, reopen_data, reopen_model
from crossfade.evaluation.scored import score, write_predictions
from crossfade.results.reporting import print_evaluation
from crossfade.runs import RunFolder

log = logging.getLogger("crossfade")


def evaluate(folder: Path, checkpoint: str = "best", split: str = "test") -> dict[str, Any]:
    """Evaluate a run from its folder alone; print the table and return {"metrics": …, "samples": …}.

    Writes predictions/<split>.csv. Raises UserError for a folder that is no run, a split or checkpoint that does not
    exist, and a checkpoint that cannot be read or does not fit.
    """
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
