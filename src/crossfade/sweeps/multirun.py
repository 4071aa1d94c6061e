"""A sweep: all jobs checked before the first starts, one folder and ledger, resumed where it stopped, one table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crossfade.config import RunConfig
from crossfade.errors import UserError, show_problems
from crossfade.runs.files import disk_fault
from crossfade.sweeps.course import Launcher
from crossfade.sweeps.ledger import Ledger
from crossfade.sweeps.opened import fingerprint, opened
from crossfade.sweeps.planning import Compose, Planned, Settings, planned
from crossfade.sweeps.report import ended
from crossfade.sweeps.table import Outcome, show_table


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
    with faults_said():
        plan = planned(jobs, compose)
        print(plan.note, flush=True)
        about = {"fingerprint": fingerprint(plan.jobs), "command": list(command), "varying": plan.varying}
        first = plan.jobs[0].config
        name = "_".join([first.task.name, *sorted(plan.varying)])
        with opened(first, folder, name, about, launcher_for) as own:
            known = {entry.identity for entry in own.ledger.entries()}
            if known and not known.issuperset(job.identity for job in plan.jobs):
                own.ledger.grown(command)
            own.run(plan.jobs)
            return _finish(plan, own.place, own.ledger)


@contextmanager
def faults_said() -> Iterator[None]:
    """A user's mistake, or a full disk, is said and ends the process with its exit code."""
    try:
        yield
    except UserError as error:
        show_problems(error)
        raise SystemExit(error.code) from error
    except OSError as error:  # before the sweep has a folder
        if not (fault := disk_fault(error)):
            raise
        print(f"The sweep stopped: {fault}. Make room, then: the same command again", file=sys.stderr)
        raise SystemExit(1) from error


def _finish(plan: Planned, place: Path, ledger: Ledger) -> list[Outcome]:
    entries = {entry.identity: entry for entry in ledger.entries()}
    outcomes = [Outcome.of_entry(entries[job.identity], place) for job in plan.jobs]
    show_table(outcomes, place)
    ended(place)
    if any(outcome.error for outcome in outcomes):
        raise SystemExit(1)
    return outcomes
