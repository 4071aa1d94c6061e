"""A sweep's folder in this process's hands: its ledger, its launcher, and jobs that are run, batch after batch."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import crossfade
from crossfade.config import RunConfig
from crossfade.errors import Failure, UserError
from crossfade.runs import new_folder, usable
from crossfade.runs.files import disk_fault
from crossfade.runs.lock import locked
from crossfade.runs.signals import interruption, terminable
from crossfade.runs.status import now
from crossfade.sweeps.board import Board
from crossfade.sweeps.course import Course, Due, Launcher
from crossfade.sweeps.ledger import FILE, Entry, Ledger
from crossfade.sweeps.planning import Job
from crossfade.sweeps.table import Outcome, ranked

SWEEPS = Path("logs/sweeps")
PATIENCE = 20.0  # seconds that workers of a sweep whose process was killed have to end

Read = Callable[[Path], Outcome]


@dataclass
class Opened:
    """A sweep that this process holds. `first` is the config of one of its jobs: its label, `retry`, `fail_fast`."""

    place: Path
    ledger: Ledger
    launcher: Launcher
    first: RunConfig
    stopped: str | None = None  # why no further job is to start

    def run(self, jobs: Sequence[Job], total: int | None = None, read: Read = Outcome.of_folder) -> dict[str, Entry]:
        """Run those that are not finished yet, and return the rows of all in the ledger, by identity.

        `total` is what the progress counts up to, where jobs come in batches; then all of the ledger count as done.
        `read` says what is shown of a finished job. Raises KeyboardInterrupt after Ctrl-C or SIGTERM.
        """
        new = not self.ledger.entries()
        entries = _without_running(self.ledger, self.ledger.add(jobs))
        every = entries if total is None else {entry.identity: entry for entry in self.ledger.entries()}
        states = [entry.state for entry in every.values()]
        retry = self.first.retry
        wanted = ("waiting", "interrupted", "failed") if retry else ("waiting", "interrupted")
        due = [Due(job, entries[job.identity], self.place) for job in jobs if entries[job.identity].state in wanted]
        done, failed = states.count("finished") + states.count("pruned"), 0 if retry else states.count("failed")
        if (done or failed) and not new and total is None:
            print(f"Going on with {self.place}: {_counted(done, failed, len(due))}", flush=True)
        if due:
            best = ranked([read(self.place / entry.name) for entry in every.values() if entry.state == "finished"])
            with Board(total or len(entries), done, failed, best[0] if best else None, read) as board:
                self._launch(due, board)
        return {entry.identity: entry for entry in self.ledger.entries() if entry.identity in entries}

    def _launch(self, due: Sequence[Due], board: Board) -> None:
        course = Course(self.ledger, board, self.first.fail_fast)
        try:
            with terminable():  # Slurm's and systemd's way to end a sweep
                self.launcher(due, course)
        except KeyboardInterrupt as error:
            course.stopped = interruption(error)
        if course.stopped is None:
            return
        self.stopped = course.stopped
        print(f"The sweep stopped: {course.stopped}.")
        print(f"What is finished stays. To go on: the same command again, or crossfade sweep resume {self.place}")
        print(f"To see what there is: crossfade report sweep={self.place}")
        if course.stopped in ("Ctrl-C", "SIGTERM"):
            raise KeyboardInterrupt


@contextmanager
def opened(
    first: RunConfig,
    folder: str | None,
    name: str,
    about: Mapping[str, Any],
    launcher_for: Callable[[RunConfig], Launcher],
) -> Iterator[Opened]:
    """The sweep in `folder`, where the user gave one; else an unfinished one with the same `about["fingerprint"]`, or
    a new one under logs/sweeps, called `name`.

    Raises UserError where the folder is in use or the launcher's settings have a fault, Failure where the disk is full.
    """
    launcher = launcher_for(first)
    place = _place(folder, about["fingerprint"], first.name or name)
    try:
        with _held(place):
            yield Opened(place, _ledger(place, about), launcher, first)
    except OSError as error:
        if not (fault := disk_fault(error)):
            raise
        raise Failure(
            f"The sweep stopped: {fault}. What is finished stays. Make room, then: crossfade sweep resume {place}"
        ) from error


def _place(folder: str | None, mark: str, name: str) -> Path:
    if folder is not None:
        place = Path(folder)
        usable(place)
        return place
    for path in sorted(SWEEPS.glob(f"*/{FILE}"), reverse=True):
        try:
            about = Ledger.open(path.parent).about
        except UserError:
            continue  # another sweep's, of another version or damaged: no reason not to begin this one
        if about.get("fingerprint") != mark:
            continue
        if about["code"] == code():
            return path.parent
        print(
            f"{path.parent} has the same jobs, by other code than today's. To go on with it all the same: "
            f"crossfade sweep resume {path.parent}",
        )
    return new_folder(SWEEPS, name).path


def fingerprint(jobs: Sequence[Job]) -> str:
    """Of a sweep: two sweeps of one fingerprint have the same jobs."""
    return hashlib.sha256("".join(sorted(job.identity for job in jobs)).encode()).hexdigest()[:16]


def code() -> str:
    """A hash of Crossfade's own files: a sweep goes on by itself only with the code that began it."""
    package = Path(crossfade.__file__).parent
    found = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        found.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return found.hexdigest()[:16]


@contextmanager
def _held(place: Path) -> Iterator[None]:
    """The sweep's folder for this process alone."""
    in_use = (
        f"The sweep folder {place} is in use: another process is running its jobs at this moment. Wait until it ends, "
        "stop it, or give this sweep a folder of its own: hydra.sweep.dir=…."
    )
    with locked(place, in_use):
        yield


def _ledger(place: Path, about: Mapping[str, Any]) -> Ledger:
    if (place / FILE).exists():
        ledger = Ledger.open(place)
        ledger.reconcile()
        return ledger
    own = {"code": code(), "directory": str(Path.cwd()), "made": now()}
    return Ledger.create(place, {**about, **own})


def _counted(done: int, failed: int, rest: int) -> str:
    parts = [f"{done} finished"]
    if failed:
        parts.append(f"{failed} failed (retry=true runs them again)")
    return ", ".join([*parts, f"{rest} to run" if rest else "nothing to run; a new one: hydra.sweep.dir=FOLDER"])


def _without_running(ledger: Ledger, entries: dict[str, Entry]) -> dict[str, Entry]:
    """Wait for the jobs that a killed sweep has left running: they end by themselves when they see it gone."""
    since = time.monotonic()
    while running := [entry for entry in entries.values() if entry.state == "running"]:
        if time.monotonic() - since > PATIENCE:
            names = ", ".join(entry.name for entry in running[:3])
            raise UserError(
                f"{ledger.folder}: {names}{' …' if len(running) > 3 else ''} run at this moment, in a process of their "
                "own (status.json in their folders says which). Wait until they end, or stop them."
            )
        time.sleep(0.2)
        ledger.reconcile()
        entries = {entry.identity: entry for entry in ledger.entries() if entry.identity in entries}
    return entries
