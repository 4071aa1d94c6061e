"""The ledger of a sweep: ledger.sqlite in its folder, a row a job.

What became of a job is known from its run folder; the ledger says which jobs there are, and what only the sweep knows:
in what order, how often tried, why a worker died. So a ledger that a kill left behind is put right by looking.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from crossfade.errors import UserError
from crossfade.runs import RunFolder
from crossfade.runs.status import now
from crossfade.sweeps.planning import Job

VERSION = 1
FILE = "ledger.sqlite"
State = Literal["waiting", "running", "finished", "failed", "interrupted", "pruned"]

_TABLES = """
create table sweep (key text primary key, value text not null);
create table jobs (
    identity text primary key, number integer not null unique, name text not null unique, overrides text not null,
    state text not null, metric text, value real, error text, started text, ended text, seconds real,
    attempts integer not null default 0
);
"""


@dataclass(frozen=True)
class Entry:
    """A job as the ledger has it: `name` is its folder's, `value` that of its main metric on the test split."""

    identity: str
    number: int
    name: str
    overrides: list[str]
    state: State = "waiting"
    metric: str | None = None
    value: float | None = None
    error: str | None = None
    started: str | None = None
    ended: str | None = None
    seconds: float | None = None
    attempts: int = 0


class Ledger:
    """The jobs of one sweep. Every change is written at once; a killed process leaves the old row or the new one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE

    @classmethod
    def open(cls, folder: Path) -> Ledger:
        """The ledger of a sweep's folder. Raises UserError where there is none, or of another version."""
        ledger = cls(folder)
        if not ledger.path.is_file():
            raise UserError(f"{folder} is no sweep: it has no {FILE}. A sweep's folder is one of logs/sweeps/….")
        with ledger._connected() as connection:
            (version,) = connection.execute("pragma user_version").fetchone()
        if version != VERSION:
            raise UserError(
                f"{ledger.path} is of version {version}, and this Crossfade writes version {VERSION}. Go on with the "
                "Crossfade that made it, or start a new sweep in another folder: hydra.sweep.dir=…."
            )
        return ledger

    @classmethod
    def create(cls, folder: Path, about: Mapping[str, Any]) -> Ledger:
        """A new ledger without jobs; `about` is what the sweep is to remember (see `about`).

        It is made beside its place and moved there whole: a kill or a full disk leaves none, or all of it.
        """
        ledger, beside = cls(folder), cls(folder)
        for leftover in folder.glob(f".{FILE}.*"):  # of a process that was killed here
            leftover.unlink()
        beside.path = folder / f".{FILE}.{os.getpid()}.tmp"
        try:
            with beside._connected() as connection:
                connection.executescript(_TABLES)
                connection.execute(f"pragma user_version = {VERSION}")
                rows = [(key, json.dumps(value)) for key, value in about.items()]
                connection.executemany("insert into sweep values (?, ?)", rows)
            os.replace(beside.path, ledger.path)
        except BaseException:
            beside.path.unlink(missing_ok=True)
            raise
        return ledger

    @property
    def about(self) -> dict[str, Any]:
        """What `create` was given."""
        with self._connected() as connection:
            return {key: json.loads(value) for key, value in connection.execute("select key, value from sweep")}

    def commands(self) -> list[list[str]]:
        """The settings that began the sweep, then those of each command that made it grow."""
        about = self.about
        return [about["command"], *about.get("grown", [])]

    def grown(self, command: Sequence[str]) -> None:
        """Remember a command that adds jobs."""
        further = json.dumps([*self.about.get("grown", []), list(command)])
        with self._connected() as connection:
            connection.execute("insert or replace into sweep values ('grown', ?)", (further,))

    def entries(self) -> list[Entry]:
        """All jobs in their order."""
        columns = [field.name for field in fields(Entry)]
        with self._connected() as connection:
            rows = connection.execute(f"select {', '.join(columns)} from jobs order by number").fetchall()
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        return [Entry(**{**row, "overrides": json.loads(row["overrides"])}) for row in found]

    def add(self, jobs: Sequence[Job]) -> dict[str, Entry]:
        """Write down the jobs that are not there yet, and return the entries of all of these by identity."""
        known = {entry.identity: entry for entry in self.entries()}
        number = 1 + max((entry.number for entry in known.values()), default=-1)
        new = []
        for job in jobs:
            if job.identity not in known:
                entry = Entry(job.identity, number, job.name(number), job.given)
                known[job.identity] = entry
                new.append((entry.identity, entry.number, entry.name, json.dumps(entry.overrides), entry.state))
                number += 1
        with self._connected() as connection:
            connection.executemany(
                "insert into jobs (identity, number, name, overrides, state) values (?, ?, ?, ?, ?)", new
            )
        return {job.identity: known[job.identity] for job in jobs}

    def started(self, identity: str) -> None:
        """The job runs from now on."""
        self._update(
            "state = 'running', error = null, ended = null, started = ?, attempts = attempts + 1", identity, now()
        )

    def withdrawn(self, entry: Entry) -> None:
        """The job waits as before: it was not begun after all."""
        self._update("state = ?, started = ?, attempts = ?", entry.identity, entry.state, entry.started, entry.attempts)

    def ended(self, entry: Entry, state: State, error: str | None = None, seconds: float | None = None) -> None:
        """The job runs no more; its value is read from its folder."""
        metric, value = _result(self.folder / entry.name) if state == "finished" else (None, None)
        changes = "state = ?, error = ?, ended = ?, seconds = ?, metric = ?, value = ?"
        self._update(changes, entry.identity, state, error, now(), seconds, metric, value)

    def reconcile(self) -> None:
        """Put right what a kill left behind: a job is what its folder says, where it has one."""
        for entry in self.entries():
            found = _found(self.folder / entry.name)
            if found is None:
                if entry.state in ("running", "finished"):  # killed before its folder was made; or that was deleted
                    self._update("state = 'waiting', metric = null, value = null", entry.identity)
                continue
            state, error = found
            # the sweep saw it end, and may know more of it than the folder: that its worker was killed for memory
            known = {state, entry.state} <= {"failed", "interrupted"}
            if known or (state == entry.state and (state != "finished" or entry.metric is not None)):
                continue
            metric, value = _result(self.folder / entry.name) if state == "finished" else (None, None)
            self._update("state = ?, error = ?, metric = ?, value = ?", entry.identity, state, error, metric, value)

    def _update(self, changes: str, identity: str, *values: Any) -> None:
        with self._connected() as connection:
            connection.execute(f"update jobs set {changes} where identity = ?", (*values, identity))

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=60)) as connection, connection:
                yield connection
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise OSError(*_as_os_error(error)) from error
            raise UserError(
                f"{self.path}: not readable as a ledger ({error}). Its runs are whole: see them with "
                f"crossfade report sweep={self.folder}; start a new sweep in another folder."
            ) from error


def _as_os_error(error: sqlite3.OperationalError) -> tuple[int, str]:
    """SQLite says that the disk is full in words of its own."""
    import errno

    text = str(error)
    return (errno.ENOSPC if "full" in text else errno.EIO, f"the ledger cannot be written: {text}")


def _found(folder: Path) -> tuple[State, str | None] | None:
    """What a job's folder says of it; None where it says nothing."""
    run = RunFolder(folder)
    if run.is_finished():
        return "finished", None
    if not run.status_file.exists():
        return None
    status = run.status()
    # "finished" without a summary is no result
    return ("interrupted" if status.state == "finished" else status.state), status.error


def _result(folder: Path) -> tuple[str | None, float | None]:
    """The main metric and its value."""
    summary = RunFolder(folder).summary()
    return summary["main"], summary["metrics"][summary["main"]]
