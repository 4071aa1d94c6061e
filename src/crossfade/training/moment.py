"""A run at the end of an epoch, as a checkpoint that Lightning can go on from."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
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
from crossfade.training.checkpoint import AtomicCheckpointIO, frozen_names
from crossfade.training.keeping import keep, main_metric
from crossfade.training.optim import learning_rate_factor, make_optimizer, make_schedule
from crossfade.training.watch import Watch


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
    names: Sequence[str],
    moment: Moment,
    lengths: Lengths,
) -> None:
    """Write checkpoints/<name>.ckpt as Lightning would have at this moment; `names`: see `at_moment`."""
    module = {f"model.{key}": value for key, value in model.state_dict().items()}
    module |= {f"balance.{key}": value for key, value in balance.state_dict().items()}
    optimizer = make_optimizer(model, config.optim, True, balance)
    schedule = make_schedule(optimizer, config.optim, lengths.steps)
    frame = {
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": pl.__version__,
        "state_dict": {key: value.cpu() for key, value in module.items()},
        "loops": {},
        "callbacks": {},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [schedule.state_dict()],
    }
    found = at_moment(frame, config, folder, names, moment, lengths)
    AtomicCheckpointIO(frozen_names(model)).save_checkpoint(found, folder.checkpoints / f"{name}.ckpt")


def at_moment(
    frame: Mapping[str, Any],
    config: RunConfig,
    folder: RunFolder,
    names: Sequence[str],
    moment: Moment,
    lengths: Lengths,
) -> dict[str, Any]:
    """`frame`, a checkpoint of this run at any other moment, as it is at this one.

    `names` are those of the trained numbers, in the order of the optimiser's groups.
    """
    (optimizer,), (schedule,) = frame["optimizer_states"], frame["lr_schedulers"]
    factor = learning_rate_factor(moment.steps, lengths.steps, config.optim.warmup, config.optim.schedule)
    rates = [base * factor for base in schedule["base_lrs"]]
    weights, means = dict(frame["state_dict"]), {}
    start = 0
    for i, name in enumerate(names):
        shape = weights[f"model.{name}"].shape
        part = slice(start, start + shape.numel())
        start = part.stop
        weights[f"model.{name}"] = moment.values[part].view(shape).cpu()
        means[i] = {
            "step": torch.tensor(float(moment.steps), dtype=torch.float32),
            "exp_avg": moment.mean[part].view(shape).cpu(),
            "exp_avg_sq": moment.square[part].view(shape).cpu(),
        }
    groups = [{**group, "lr": rate} for group, rate in zip(optimizer["param_groups"], rates, strict=True)]
    return {
        **frame,
        "epoch": moment.epoch,
        "global_step": moment.steps,
        "state_dict": weights,
        "loops": {"fit_loop": _progress(moment, lengths)},
        "callbacks": _callbacks(config, folder, moment),
        "optimizer_states": [{"state": means, "param_groups": groups}],
        "lr_schedulers": [{**schedule, "last_epoch": moment.steps, "_step_count": moment.steps + 1, "_last_lr": rates}],
    }


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
