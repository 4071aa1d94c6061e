"""What each run of a stack leaves in its folder: checkpoints that Lightning can go on from, metrics, log and status."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from torch import Tensor

from crossfade.balance.base import Balance
from crossfade.config import RunConfig
from crossfade.model import FusionModel
from crossfade.runs import RunFolder
from crossfade.runs.log import log_failure, logging_to
from crossfade.runs.status import Status
from crossfade.stacked.watch import Watch
from crossfade.training.checkpoint import AtomicCheckpointIO, frozen_names
from crossfade.training.fit import keep, main_metric
from crossfade.training.optim import make_optimizer, make_schedule

log = logging.getLogger("crossfade")


@dataclass
class Moment:
    """A run at the end of an epoch, counted from 0: trained numbers and AdamW's two means, (P,) each."""

    epoch: int
    steps: int
    values: Tensor
    mean: Tensor
    square: Tensor
    watch: Watch


@dataclass(frozen=True)
class Lengths:
    """Batches of a run's training and validation epoch, and steps of its whole training."""

    train: int
    val: int
    steps: int


def write_checkpoint(
    name: str,
    config: RunConfig,
    folder: RunFolder,
    model: FusionModel,
    balance: Balance,
    state: dict[str, Tensor],
    moment: Moment,
    lengths: Lengths,
) -> None:
    """Write checkpoints/<name>.ckpt as Lightning would have at this moment; `state` is the model's state_dict."""
    module = {f"model.{key}": value for key, value in state.items()}
    module |= {f"balance.{key}": value for key, value in balance.state_dict().items()}
    optimizer, schedule = _optimizer(config, model, balance, state, moment, lengths)
    AtomicCheckpointIO(frozen_names(model)).save_checkpoint(
        {
            "epoch": moment.epoch,
            "global_step": moment.steps,
            "pytorch-lightning_version": pl.__version__,
            "state_dict": {key: value.cpu() for key, value in module.items()},
            "loops": {"fit_loop": _progress(moment, lengths)},
            "callbacks": _callbacks(config, folder, moment),
            "optimizer_states": [optimizer],
            "lr_schedulers": [schedule],
        },
        folder.checkpoints / f"{name}.ckpt",
    )


def _optimizer(
    config: RunConfig, model: FusionModel, balance: Balance, state: dict[str, Tensor], moment: Moment, lengths: Lengths
) -> tuple[dict[str, Any], dict[str, Any]]:
    """States of the optimiser and the schedule: those of a run alone, with this moment's numbers."""
    optimizer = make_optimizer(model, config.optim, True, balance)
    schedule = make_schedule(optimizer, config.optim, lengths.steps)
    schedule.last_epoch, schedule._step_count = moment.steps, moment.steps + 1
    rates = [base * schedule.lr_lambdas[0](moment.steps) for base in schedule.base_lrs]
    schedule._last_lr = rates
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    start = 0
    for group in optimizer.param_groups:  # the order in which `Stack` lays them side by side
        for parameter in group["params"]:
            part = slice(start, start + parameter.numel())
            start = part.stop
            optimizer.state[parameter] = {
                "step": torch.tensor(float(moment.steps), dtype=torch.float32),
                "exp_avg": moment.mean[part].view_as(parameter).cpu(),
                "exp_avg_sq": moment.square[part].view_as(parameter).cpu(),
            }
    return optimizer.state_dict(), schedule.state_dict()


@functools.cache
def _loop() -> Any:
    """A loop of Lightning's, whose counters are set anew for each checkpoint."""
    idle = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return pl.Trainer(accelerator="cpu", devices=1, enable_model_summary=False, **idle).fit_loop  # type: ignore[arg-type]


def _progress(moment: Moment, lengths: Lengths) -> dict[str, Any]:
    """State of Lightning's loop after this epoch."""
    loop = _loop()
    done, batches = moment.epoch + 1, loop.epoch_loop.batch_progress
    for progress, number in ((loop.epoch_progress.total, done), (loop.epoch_progress.current, done)):
        progress.ready = progress.started = progress.processed = number
        progress.completed = number - 1  # Lightning counts it after its callbacks have saved
    for progress, number in ((batches.total, moment.steps), (batches.current, lengths.train)):
        progress.ready = progress.started = progress.processed = progress.completed = number
    batches.is_last_batch = True
    loop.epoch_loop._batches_that_stepped = moment.steps
    optimizer = loop.epoch_loop.automatic_optimization.optim_progress.optimizer
    for every in (loop.epoch_loop.scheduler_progress, optimizer.step, optimizer.zero_grad):
        for progress, number in ((every.total, moment.steps), (every.current, lengths.train)):
            progress.ready = progress.completed = number
            if hasattr(progress, "started"):
                progress.started = number
    seen = loop.epoch_loop.val_loop.batch_progress
    for progress in (seen.total, seen.current):
        progress.ready = progress.started = progress.processed = progress.completed = lengths.val
    seen.is_last_batch = True
    return loop.state_dict()


def _callbacks(config: RunConfig, folder: RunFolder, moment: Moment) -> dict[str, Any]:
    monitor, mode = main_metric(config)
    watch = moment.watch
    best, last = keep(folder.checkpoints, "best", monitor=monitor, mode=mode), keep(folder.checkpoints, "last")
    path, score = str(folder.checkpoints / "best.ckpt"), torch.tensor(watch.kept, dtype=torch.float32)
    best.best_model_score = best.current_score = best.kth_value = score
    best.best_model_path = best.kth_best_model_path = path
    best.best_k_models = {path: score}
    last.best_model_path = str(folder.checkpoints / "last.ckpt")
    found = {callback.state_key: callback.state_dict() for callback in (best, last)}
    if watch.patience is not None:
        stop = EarlyStopping(monitor=monitor, mode=mode, patience=watch.patience)
        stop.best_score, stop.wait_count = torch.tensor(watch.best, dtype=torch.float32), watch.waited
        stop.stopped_epoch = moment.epoch if watch.why else 0
        found[stop.state_key] = stop.state_dict()
    return found


def note(folder: RunFolder, text: str) -> None:
    """A line in the run's log."""
    with logging_to(folder.log_file):
        log.info(text)


def write_failure(folder: RunFolder, status: Status, error: Exception) -> None:
    """The run's status and log say that it failed."""
    with logging_to(folder.log_file) as handler:
        log_failure(handler, error)
    status.ending("failed", f"{type(error).__name__}: {error}").save(folder.status_file)
