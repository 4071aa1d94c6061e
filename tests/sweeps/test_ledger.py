"""The ledger: what is written stays, what a kill left behind is put right, what is not ours is refused."""

from __future__ import annotations

import errno
import json
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crossfade.config import compose
from crossfade.errors import UserError
from crossfade.runs import RunFolder
from crossfade.runs.lock import locked
from crossfade.runs.status import Status
from crossfade.sweeps.ledger import Ledger
from crossfade.sweeps.planning import Job

CONFIG = compose()


def job(name: str) -> Job:
    return Job(name, [f"++name={name}"], f"name={name}", CONFIG)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger.create(tmp_path, {"command": ["seed=0,1"], "code": "x"})
    made.add([job("a"), job("b")])
    return made


def states(ledger: Ledger) -> list[str]:
    return [entry.state for entry in ledger.entries()]


def finish(folder: Path, value: float = 0.5) -> None:
    with RunFolder(folder).running():
        RunFolder(folder).write_summary({"main": "y/accuracy", "metrics": {"y/accuracy": value}})


def test_jobs_keep_their_number_when_others_come(ledger: Ledger) -> None:
    added = ledger.add([job("c"), job("a")])
    assert [(e.number, e.name, e.overrides) for e in ledger.entries()] == [
        (0, "00_name=a", ["name=a"]),
        (1, "01_name=b", ["name=b"]),
        (2, "02_name=c", ["name=c"]),
    ]
    assert list(added) == ["c", "a"]
    assert Ledger.open(ledger.folder).about == {"command": ["seed=0,1"], "code": "x"}


def test_a_finished_job_has_its_value(ledger: Ledger) -> None:
    entry = ledger.entries()[0]
    ledger.started(entry.identity)
    assert states(ledger) == ["running", "waiting"]
    (ledger.folder / entry.name).mkdir()
    finish(ledger.folder / entry.name, 0.75)
    ledger.ended(entry, "finished", seconds=1.5)
    found = ledger.entries()[0]
    assert (found.state, found.metric, found.value, found.seconds, found.attempts) == (
        *("finished", "y/accuracy", 0.75, 1.5, 1),
    )


def _dead(folder: Path, state: str = "running", error: str | None = None) -> None:
    folder.mkdir()
    replace(Status.of_this_process(), state=state, pid=2**22 + 1, error=error).save(RunFolder(folder).status_file)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "left", "after"),
    [
        ("running", None, "waiting"),  # killed before its folder was made
        ("finished", None, "waiting"),  # its folder was deleted
        ("running", lambda f: _dead(f), "interrupted"),
        ("running", lambda f: (f.mkdir(), finish(f)), "finished"),  # the sweep was killed, the job was not
        ("running", lambda f: _dead(f, "failed", "boom"), "failed"),
        ("failed", lambda f: _dead(f), "failed"),  # of a worker that was killed
        ("failed", None, "failed"),
        ("interrupted", lambda f: (f.mkdir(), finish(f)), "finished"),  # resumed by itself
        ("finished", lambda f: _dead(f), "interrupted"),  # its folder was taken back
    ],
)
def test_a_job_is_what_its_folder_says(ledger: Ledger, before: str, left: Any, after: str) -> None:
    entry = ledger.entries()[0]
    with sqlite3.connect(ledger.path) as connection:
        connection.execute("update jobs set state = ? where identity = ?", (before, entry.identity))
    if left is not None:
        left(ledger.folder / entry.name)
    ledger.reconcile()
    assert states(ledger) == [after, "waiting"]
    assert (ledger.entries()[0].value is not None) == (after == "finished")


def test_what_is_right_is_not_written_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit takes milliseconds of the disk's, and a sweep of 5,000 finished jobs is resumed too."""
    for entry in ledger.entries():
        (ledger.folder / entry.name).mkdir()
        finish(ledger.folder / entry.name)
    ledger.reconcile()
    assert states(ledger) == ["finished", "finished"]
    monkeypatch.setattr(ledger, "_update", lambda *given: pytest.fail("written again"))
    ledger.reconcile()


def test_a_job_that_runs_is_left_alone(ledger: Ledger) -> None:
    folder = ledger.folder / ledger.entries()[0].name
    folder.mkdir()
    with RunFolder(folder).running():
        ledger.reconcile()
        assert states(ledger) == ["running", "waiting"]


@pytest.mark.parametrize("statement", ["create table jobs", "pragma user_version", "insert into sweep", "replace"])
def test_a_ledger_is_made_whole_or_not_at_all(tmp_path: Path, statement: str) -> None:
    """A process is killed at each step of making it; the next one makes it, and the sweep begins."""
    code = f"""
import os, signal, sqlite3
from pathlib import Path
from crossfade.sweeps.ledger import Ledger

def kill(*given):
    os.kill(os.getpid(), signal.SIGKILL)

def connect(*given, **options):
    connection = real(*given, **options)
    connection.set_trace_callback(lambda text: text.strip().startswith({statement!r}) and kill())
    return connection

real, sqlite3.connect = sqlite3.connect, connect
if {statement!r} == "replace":
    os.replace = kill
Ledger.create(Path({str(tmp_path)!r}), {{"command": ["seed=0"]}})
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(UserError, match="is no sweep"):
        Ledger.open(tmp_path)
    made = Ledger.create(tmp_path, {"command": ["seed=0"]})
    made.add([job("a")])
    assert states(Ledger.open(tmp_path)) == ["waiting"]
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.sqlite"]


def test_a_ledger_of_another_version_is_refused(ledger: Ledger) -> None:
    with sqlite3.connect(ledger.path) as connection:
        connection.execute("pragma user_version = 99")
    with pytest.raises(UserError, match="is of version 99, and this Crossfade writes version 1"):
        Ledger.open(ledger.folder)


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text(json.dumps({"jobs": []}) * 100)
    with pytest.raises(UserError, match="not readable as a ledger"):
        Ledger.open(tmp_path)


def test_a_disk_that_takes_no_more_is_an_error_of_the_disk(ledger: Ledger) -> None:
    entry = ledger.entries()[0]
    with sqlite3.connect(ledger.path) as connection:
        (pages,) = connection.execute("pragma page_count").fetchone()
    real = ledger._connected

    from contextlib import contextmanager

    @contextmanager
    def small() -> Any:
        with real() as connection:
            connection.execute(f"pragma max_page_count = {pages}")
            yield connection

    ledger._connected = small  # type: ignore[method-assign]
    with pytest.raises(OSError) as caught:  # noqa: PT011  the number is looked at below
        ledger.ended(entry, "failed", "x" * 10**6)
    assert caught.value.errno == errno.ENOSPC
    ledger._connected = real  # type: ignore[method-assign]
    assert states(ledger) == ["waiting", "waiting"]


def test_two_sweeps_never_hold_one_folder(tmp_path: Path) -> None:
    with locked(tmp_path, "taken"), pytest.raises(UserError, match="taken"), locked(tmp_path, "taken"):
        pass
