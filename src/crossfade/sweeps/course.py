"""The course of a sweep: what a launcher reports of its jobs goes into the ledger and onto the screen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from crossfade.config import RunConfig
from crossfade.runs.status import now
from crossfade.sweeps.board import Board
from crossfade.sweeps.ending import Ending
from crossfade.sweeps.ledger import Entry, Ledger
from crossfade.sweeps.planning import Job


@dataclass(frozen=True)
class Due:
    """A job that is to run, its row of the ledger, and the folder for its run."""

    job: Job
    entry: Entry
    place: Path

    @property
    def folder(self) -> Path:
        return self.place / self.entry.name

    @property
    def config(self) -> RunConfig:
        """The job's config as a part of its sweep: its W&B group, and the single modalities that jobs share."""
        own = self.job.config
        changes = {
            "group": own.group or self.place.name,
            "singles_cache": str(self.place / "singles"),
            "figures": bool(own.figures),  # drawing takes longer than a small training
        }
        return own.model_copy(update=changes)


class Course:
    """Launchers call `start` and `end` for each job, and begin no further one once `stopped`."""

    def __init__(self, ledger: Ledger, board: Board, fail_fast: bool) -> None:
        self.ledger, self.board, self.fail_fast = ledger, board, fail_fast
        self.stopped: str | None = None  # why
        self.began = now()
        self._since: dict[str, float] = {}

    def start(self, due: Due) -> None:
        """The job runs."""
        due.folder.mkdir(parents=True, exist_ok=True)
        self._since[due.entry.identity] = time.monotonic()
        self.ledger.started(due.entry.identity)
        self.board.started(due.entry.name, due.folder, due.job.config.trainer.epochs)

    def end(self, due: Due, ending: Ending, seconds: float | None = None) -> None:
        """The job has ended; `seconds` is what it took, where that is not the time since its start."""
        since = self._since.pop(due.entry.identity)
        seconds = time.monotonic() - since if seconds is None else seconds
        if ending.stops:
            self.stopped = self.stopped or ending.error
        elif ending.state == "failed" and self.fail_fast:
            self.stopped = self.stopped or f"{due.entry.name} failed, and fail_fast=true"
        self.board.ended(due.entry.name, ending.state, ending.error, seconds, due.job.label)
        self.ledger.ended(due.entry, ending.state, ending.error, round(seconds, 2))

    def withdraw(self, due: Due) -> None:
        """The job was not begun after all."""
        del self._since[due.entry.identity]
        self.board.running.pop(due.entry.name)
        self.ledger.withdrawn(due.entry)


class Launcher(Protocol):
    """Runs jobs in some way of its own; returns when all have ended, or when the course is stopped."""

    def __call__(self, jobs: Sequence[Due], course: Course) -> None: ...
