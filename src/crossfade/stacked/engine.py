"""The training of a stack: for each run what `training.fit` does, all of them a step at a time."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pytorch_lightning.loggers import Logger
from torch import Tensor

from crossfade.balance.base import Balance
from crossfade.build import build, build_balance, build_model
from crossfade.cache.features import compute_features
from crossfade.config import RunConfig
from crossfade.data.module import DataModule
from crossfade.encoders.base import Encoder
from crossfade.errors import Failure, UserError
from crossfade.evaluation.reopen import device_of
from crossfade.model import FusionModel
from crossfade.runs import RunFolder
from crossfade.seeding import derived
from crossfade.stacked.batches import Batches
from crossfade.stacked.optimizer import StackedAdamW
from crossfade.stacked.stack import NotStackable, Outputs, Stack
from crossfade.stacked.validation import measure
from crossfade.tracking import make_loggers
from crossfade.training.checkpoint import clean
from crossfade.training.journal import Journal
from crossfade.training.keeping import main_metric
from crossfade.training.module import diverged
from crossfade.training.moment import Lengths, Moment, write_checkpoint
from crossfade.training.watch import Watch

SECONDS = 5.0  # at least, between two savings of what is not finished yet
SHARE = 0.05  # of the time, at most, that those savings take
AT_ONCE = 4  # batches of validation samples that are predicted together


@dataclass
class Run:
    """One run of the stack and what has become of it so far."""

    config: RunConfig
    folder: RunFolder
    data: DataModule
    model: FusionModel
    balance: Balance
    lengths: Lengths
    watch: Watch
    loggers: list[Logger]
    journal: Journal | None = None
    best: Moment | None = None
    now: Moment | None = None
    error: Failure | None = None
    ended: bool = False

    def save(self, names: Sequence[str]) -> None:
        """best.ckpt and last.ckpt of the last whole epoch; `names` are those of the trained numbers."""
        for name, moment in (("best", self.best), ("last", self.now)):
            if moment is not None:
                of = (self.config, self.folder, self.model, self.balance)
                write_checkpoint(name, *of, names, moment, self.lengths)

    def leave(self, ending: str) -> None:
        """Its checkpoints stand: end its journal, and its loggers with this word."""
        if self.journal is not None:
            self.journal.end()
        for logger in self.loggers:
            logger.finalize(ending)


class Engine:
    """Runs of one signature and of equal shapes. Raises NotStackable before anything is written or trained."""

    def __init__(self, configs: Sequence[RunConfig], folders: Sequence[RunFolder], data: Sequence[DataModule]) -> None:
        self.config = first = configs[0]
        self.device = device_of(first)
        self.dtype = torch.float64 if first.trainer.precision == "64-true" else torch.float32
        known: dict[str, Encoder] = {}
        models = [build_model(c, d.fitted, known=known) for c, d in zip(configs, data, strict=True)]
        _features(models, data, self.device)
        self.batches = Batches(data, models[0].modalities, first.trainer.limit_batches, self.device)
        self.batches.to(self.dtype)
        models = [model.to(self.device, self.dtype) for model in models]
        balances = [build_balance(c, model) for c, model in zip(configs, models, strict=True)]
        self.stack = Stack(models, balances, [c.seed for c in configs])
        steps, (_, seen) = self.batches.steps(), self.batches.validation()
        monitor, mode = main_metric(first)
        self.monitor, self.runs = monitor, []
        for i, config in enumerate(configs):
            val = -(-seen[i] // data[i].batch_size)
            lengths = Lengths(steps[i], val, steps[i] * config.trainer.epochs)
            watch = Watch(mode, config.callbacks.early_stopping)
            self.runs.append(Run(config, folders[i], data[i], models[i], balances[i], lengths, watch, []))
        self.optimizer = StackedAdamW.of(
            self.stack.values,
            self.stack.plain,
            [c.optim for c in configs],
            [run.lengths.steps for run in self.runs],
            first.trainer.gradient_clip,
        )
        self.members = list(range(len(self.runs)))  # runs that are still trained, in the order of the stack
        self.started = self.due = time.monotonic()
        self._probe()

    def _probe(self) -> None:
        """One step's loss and gradient, thrown away, and each model's own predictions against the stack's."""
        self.stack.start_epoch([0] * len(self.stack.stream_seeds))
        batch, mapped = self.batches.batch(self.batches.epoch(0)[:, 0])
        try:
            self.stack.gradient(batch, mapped, self.optimizer.gradient)
            outputs = self.stack.predict(batch, mapped)
        except (RuntimeError, ValueError) as error:
            raise NotStackable(f"vmap does not take their model: {str(error).splitlines()[0]}") from error
        for j, run in enumerate(self.runs):
            own = batch
            if mapped:
                own = copy.copy(batch)
                own.inputs = {name: x[j] for name, x in batch.inputs.items()}
                own.presence = batch.presence[j]
                own.features = {name: (x[j], mask[j]) for name, (x, mask) in batch.features.items()}
            with torch.no_grad():
                alone = run.model.eval()(own.inputs, own.presence, own.features)
            for name, output in alone.items():
                if not torch.allclose(outputs[name][j], output, rtol=1e-3, atol=1e-3, equal_nan=True):
                    raise NotStackable(f"stacked, {run.folder.path.name} would predict {name} otherwise than alone")

    def train(self) -> None:
        """All epochs; a run that stops early, or whose loss is not finite, leaves the others as they are."""
        self.begin()
        for epoch in range(self.config.trainer.epochs):
            self.epoch_ended(epoch, self.epoch(epoch))
            if not self.members:
                break

    def begin(self) -> None:
        """Open each run's loggers and journal."""
        for run in self.runs:
            clean(run.folder.checkpoints)
            run.loggers = make_loggers(run.config.logger, build, run.folder, run.config.dump())
            run.journal = Journal(run.folder, self.stack.names, run.lengths, self.stack.values)

    def epoch_ended(self, epoch: int, logged: Sequence[dict[str, float]]) -> None:
        """Write down what each member has come to, with these metrics; what has ended leaves the stack."""
        for j, metrics in enumerate(logged):
            if (run := self.runs[self.members[j]]).error is None:
                self._epoch_ended(j, run, epoch, metrics)
        if self.config.trainer.progress:
            self._tell(epoch)
        self._leave()
        if self.members and (epoch == 0 or time.monotonic() > self.due):
            self.save()

    def _tell(self, epoch: int) -> None:
        kept = [run.watch.kept for run in self.runs if run.watch.kept is not None]
        best = (max if self.runs[0].watch.mode == "max" else min)(kept, default=math.nan)
        seconds = time.monotonic() - self.started
        print(
            f"{len(self.members)} stacked  epoch {epoch + 1}/{self.config.trainer.epochs}  "
            f"best {self.monitor} {best:.3f}  {seconds:.0f} s",
            flush=True,
        )

    def epoch(self, epoch: int) -> list[dict[str, float]]:
        """Train and validate one epoch, counted from 0; what each member logs of it."""
        losses = self._steps(epoch)
        return [{"train/loss": loss, **metrics} for loss, metrics in zip(losses, self._validate(), strict=True)]

    def _steps(self, epoch: int) -> list[float]:
        seeds = [derived(seed, "epoch", epoch, 0) for seed in self.stack.stream_seeds]
        self.stack.start_epoch(seeds)
        runs = [self.runs[i] for i in self.members]
        rows = self.batches.epoch(epoch)
        every: list[Tensor] = []
        for step in range(rows.shape[1]):
            losses = self.stack.gradient(*self.batches.batch(rows[:, step]), self.optimizer.gradient)
            every.append(losses)
            steps = [j for j, run in enumerate(runs) if step < run.lengths.train and run.error is None]
            for j in (~losses.isfinite()).nonzero().flatten().tolist():
                if j in steps:
                    steps.remove(j)
                    self._diverged(j, runs[j], float(losses[j]), epoch, rows[min(j, len(rows) - 1), step])
            self.optimizer.step(steps)
        losses = torch.stack(every)
        return [float(losses[: run.lengths.train, j].mean()) for j, run in enumerate(runs)]

    def _diverged(self, j: int, run: Run, loss: float, epoch: int, rows: Tensor) -> None:
        last = run.folder.checkpoints / "last.ckpt" if run.now is not None else "none yet"
        ids = [self.batches.ids[i] for i in rows.tolist()]
        run.error = Failure(diverged(loss, self.optimizer.done[j], epoch, ids, str(last)))
        run.save(self.stack.names)

    def _validate(self) -> list[dict[str, float]]:
        rows, counts = self.batches.validation()
        width = AT_ONCE * self.config.data.batch_size
        parts = [self.stack.predict(*self.batches.batch(part)) for part in rows.split(width, 1)]
        outputs: Outputs = {name: torch.cat([part[name] for part in parts], 1) for name in parts[0]}
        runs = [self.runs[i] for i in self.members]
        return measure([run.model for run in runs], outputs, self.batches.truths(rows), counts)

    def _epoch_ended(self, j: int, run: Run, epoch: int, metrics: dict[str, float]) -> None:
        if self.monitor not in metrics:
            raise UserError(f"callbacks.monitor={self.monitor}: not logged. There are {', '.join(sorted(metrics))}.")
        o = self.optimizer
        done = o.done[j]
        for logger in run.loggers:
            logger.log_metrics({**metrics, "epoch": epoch}, step=done - 1)
        is_best, stops = run.watch.epoch_ended(metrics[self.monitor])
        run.now = Moment(epoch, done, o.values[j].clone(), o.mean[j].clone(), o.square[j].clone(), copy.copy(run.watch))
        if is_best:
            run.best = run.now
        if run.journal is not None:
            run.journal.write(run.now, is_best)
        run.ended = stops or epoch + 1 == run.config.trainer.epochs

    def save(self) -> None:
        """Checkpoints of all runs that are still trained, as they were at the end of the last epoch.

        A kill takes nothing from the journals. These are what other programs read meanwhile, and what is left should
        the machine lose its power; the first ones hold what a journal does not, such as frozen weights.
        """
        started = time.monotonic()
        for i in self.members:
            self.runs[i].save(self.stack.names)
        ended = time.monotonic()
        self.due = ended + max(SECONDS, (ended - started) / SHARE)

    def broken_off(self) -> None:
        """Save what there is of the runs that are still trained, and end their loggers."""
        self.save()
        for i in self.members:
            self.runs[i].leave("failed")

    def _leave(self) -> None:
        """Take the runs that have ended out of the stack; what is left is less work."""
        stay = []
        for j, i in enumerate(self.members):
            run = self.runs[i]
            if run.error is None and not run.ended:
                stay.append(j)
                continue
            if run.error is None:
                run.save(self.stack.names)
            run.leave("success" if run.error is None else "failed")
        if len(stay) == len(self.members):
            return
        self.members = [self.members[j] for j in stay]
        if self.members:
            self.optimizer.keep(stay)
            self.batches.keep(stay)
            self.stack.keep(stay, self.optimizer.values)


def _features(models: Sequence[FusionModel], data: Sequence[DataModule], device: torch.device) -> None:
    """Features of frozen encoders, once for all runs that share samples and encoders."""
    done: dict[tuple[int, ...], FusionModel] = {}
    for model, d in zip(models, data, strict=True):
        key = (id(d.samples), *(id(e) for e in model.encoders.values() if e.frozen))
        if key not in done:
            if any(id(d.samples) == other[0] for other in done):
                raise NotStackable("their frozen encoders differ, and with them the features of the same samples")
            compute_features(model, d, device)
            done[key] = model
            continue
        for name in d.samples.features:
            own, known = model.embeddings[name], done[key].embeddings[name]
            own.load_state_dict({**own.state_dict(), "shift": known.shift, "scale": known.scale})
