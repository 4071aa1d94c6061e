"""`train_stacked`: runs that differ in batchable fields, trained at once, each into its own folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from crossfade.config import RunConfig
from crossfade.data.module import DataModule
from crossfade.runs import RunFolder, write_json
from crossfade.runs.lock import locked
from crossfade.runs.memory import REMEDY, memory_fault
from crossfade.runs.signals import interruption, terminable
from crossfade.runs.status import Status
from crossfade.stacked.batchable import signature, why_not
from crossfade.stacked.engine import Engine
from crossfade.stacked.files import note, write_failure
from crossfade.stacked.stack import NotStackable
from crossfade.training.fit import quiet


@dataclass(frozen=True)
class Job:
    """A run's checked config, its folder (which exists) and its data (prepared); runs of the same data share them."""

    config: RunConfig
    folder: RunFolder
    data: DataModule


@dataclass(frozen=True)
class Outcome:
    """`error` is what a run failed of, None where it is trained; `seconds` its share of the stack's time."""

    epochs: int
    seconds: float
    error: str | None = None


def train_stacked(jobs: Sequence[Job]) -> list[Outcome]:
    """Train these runs as one; each folder then holds what `training.train` leaves there, its status still running.

    Raises NotStackable, before anything is trained or written, where these runs can't be one stack: `why_not` of one
    of them, different signatures or shapes, a checkpoint to go on from, a model that vmap does not take. A run whose
    loss is not finite fails alone: its status and log say so.
    """
    for job in jobs:
        if reason := why_not(job.config):
            raise NotStackable(reason)
        if (job.folder.checkpoints / "last.ckpt").exists():
            raise NotStackable(f"{job.folder.path} has a checkpoint to go on from: it goes on alone")
    if len({signature(job.config) for job in jobs}) > 1:
        raise NotStackable("they differ in more than batchable fields")
    quiet()
    started = time.monotonic()
    with ExitStack() as held:
        for job in jobs:
            held.enter_context(locked(job.folder.path))
        held.enter_context(terminable())
        held.enter_context(deterministic(jobs[0].config.trainer.deterministic))
        try:
            return _train(jobs, started)
        finally:
            for job in jobs:
                job.data.samples.features.clear()


def _train(jobs: Sequence[Job], started: float) -> list[Outcome]:
    engine = Engine([job.config for job in jobs], [job.folder for job in jobs], [job.data for job in jobs])
    status = Status.of_this_process()
    for job in jobs:
        write_json(job.folder.preprocessing_file, job.data.fitted)
        status.save(job.folder.status_file)
        note(job.folder, f"Trained as one of {len(jobs)} stacked runs.")
    try:
        engine.train()
    except BaseException as error:
        engine.broken_off()
        cause, memory = interruption(error), memory_fault(error)
        why = f"{memory}. {REMEDY}" if memory else f"{type(error).__name__}: {error}"
        for job in jobs:
            ending = ("interrupted", cause) if cause else ("failed", why)
            status.ending(*ending).save(job.folder.status_file)  # type: ignore[arg-type]
        raise
    seconds = round((time.monotonic() - started) / len(jobs), 3)
    outcomes = []
    for job, run in zip(jobs, engine.runs, strict=True):
        if run.error is not None:
            write_failure(job.folder, status, run.error)
        outcomes.append(Outcome(run.now.epoch + 1 if run.now else 0, seconds, str(run.error) if run.error else None))
    return outcomes


@contextmanager
def deterministic(wanted: bool | str) -> Iterator[None]:
    """Deterministic kernels for as long as the stack trains, where `trainer.deterministic` asks for them."""
    on, warn = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filling: Any = torch.utils.deterministic
    fill = filling.fill_uninitialized_memory
    torch.use_deterministic_algorithms(bool(wanted), warn_only=wanted == "warn")
    # it fills every new tensor, for finding reads of what was never written
    filling.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(on, warn_only=warn)
        filling.fill_uninitialized_memory = fill
