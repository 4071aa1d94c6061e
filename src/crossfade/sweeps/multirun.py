"""A sweep: all jobs checked before the first starts, one folder and ledger, resumed where it stopped, one table."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import crossfade
from crossfade.config import RunConfig
from crossfade.errors import UserError, show_problems
from crossfade.runs import new_folder, usable
from crossfade.runs.files import disk_fault
from crossfade.runs.lock import locked
from crossfade.runs.status import now
from crossfade.sweeps.board import Board
from crossfade.sweeps.course import Course, Due, Launcher
from crossfade.sweeps.ledger import FILE, Entry, Ledger
from crossfade.sweeps.planning import Compose, Job, Planned, Settings, planned
from crossfade.sweeps.report import report_of
from crossfade.sweeps.table import Outcome, ranked, show_table

SWEEPS = Path("logs/sweeps")
PATIENCE = 20.0  # seconds that workers of a sweep whose process was killed have to end


def sweep(
    jobs: Sequence[Settings],
    folder: str | None,
    compose: Compose,
    launcher_for: Callable[[RunConfig], Launcher],
    command: Sequence[str],
) -> list[Outcome]:
    """Check the jobs, run the distinct ones that are not finished yet, and print the table of all.

    `folder` is the sweep's folder where the user gave one; else an unfinished sweep of the very same jobs goes on, or
    a new one begins under logs/sweeps. `command` are the settings by which it can be resumed. Exits with 2 where a
    setting of a job or of the launcher has a fault (all faults of all jobs are named), with 1 where a job failed,
    with 130 after Ctrl-C.
    """
    place: Path | None = None
    try:
        plan = planned(jobs, compose)
        print(plan.note, flush=True)
        launcher = launcher_for(plan.jobs[0].config)
        place = _place(plan, folder)
        with _held(place):
            ledger = _ledger(place, plan, command)
            _run(plan, place, ledger, launcher)
            return _finish(plan, place, ledger)
    except UserError as error:
        show_problems(error)
        raise SystemExit(error.code) from error
    except OSError as error:
        if not (fault := disk_fault(error)):
            raise
        where = f"crossfade sweep resume {place}" if place is not None else "the same command again"
        print(f"The sweep stopped: {fault}. What is finished stays. Make room, then: {where}", file=sys.stderr)
        raise SystemExit(1) from error


def _place(plan: Planned, folder: str | None) -> Path:
    if folder is not None:
        place = Path(folder)
        usable(place)
        return place
    for path in sorted(SWEEPS.glob(f"*/{FILE}"), reverse=True):
        about = Ledger.open(path.parent).about
        if about["fingerprint"] != fingerprint(plan.jobs):
            continue
        if about["code"] == code():
            return path.parent
        print(
            f"{path.parent} has the same jobs, by other code than today's. To go on with it all the same: "
            f"crossfade sweep resume {path.parent}",
        )
    first = plan.jobs[0].config
    return new_folder(SWEEPS, first.name or "_".join([first.task.name, *sorted(plan.varying)])).path


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


def _ledger(place: Path, plan: Planned, command: Sequence[str]) -> Ledger:
    if (place / FILE).exists():
        ledger = Ledger.open(place)
        ledger.reconcile()
        return ledger
    about = {
        "fingerprint": fingerprint(plan.jobs),
        "code": code(),
        "command": list(command),
        "directory": str(Path.cwd()),
        "varying": plan.varying,
        "made": now(),
    }
    return Ledger.create(place, about)


def _run(plan: Planned, place: Path, ledger: Ledger, launcher: Launcher) -> None:
    entries = ledger.add(plan.jobs)
    entries = _without_running(ledger, entries)
    first = plan.jobs[0].config
    states = [entry.state for entry in entries.values()]
    wanted = ("waiting", "interrupted", "failed") if first.retry else ("waiting", "interrupted")
    due = [Due(job, entries[job.identity], place) for job in plan.jobs if entries[job.identity].state in wanted]
    done, failed = states.count("finished"), 0 if first.retry else states.count("failed")
    if done or failed:
        print(f"Going on with {place}: {_counted(done, failed, len(due))}", flush=True)
    if not due:
        return
    best = ranked([Outcome.of_folder(place / e.name) for e in entries.values() if e.state == "finished"])
    with Board(len(entries), done, failed, best[0] if best else None) as board:
        course = Course(ledger, board, first.fail_fast)
        try:
            launcher(due, course)
        except KeyboardInterrupt:
            course.stopped = "Ctrl-C"
    if course.stopped is not None:
        print(f"The sweep stopped: {course.stopped}.")
        print(f"What is finished stays. To go on: the same command again, or crossfade sweep resume {place}")
        if course.stopped in ("Ctrl-C", "SIGTERM"):
            raise KeyboardInterrupt


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


def _finish(plan: Planned, place: Path, ledger: Ledger) -> list[Outcome]:
    entries = {entry.identity: entry for entry in ledger.entries()}
    outcomes = [Outcome.of_entry(entries[job.identity], place) for job in plan.jobs]
    show_table(outcomes, place)
    report_of(place)
    if any(outcome.error for outcome in outcomes):
        raise SystemExit(1)
    return outcomes
