"""The store: made once, whoever asks; bounded; a fault of the disk or of a file never stops a run."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from crossfade.cache.store import ABANDONED, Store

KB = 1 / 2**20  # in 2³⁰ bytes


def values(found: object = None, number: float = 1.0) -> dict[str, np.ndarray]:
    return {"tokens": np.full((256, 1), number, dtype=np.float32)}


def never(found: object = None) -> dict[str, np.ndarray]:
    raise AssertionError("it is there already")


def warnings_of(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING)


def child(code: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
    """A process that has `store(folder)`, `values` and `say`, which appends a line to a file."""
    start = """
import mmap, os, sys, time
from pathlib import Path
import numpy as np
from crossfade.cache.store import Store
folder = Path(sys.argv[1])
store = Store(folder, 1.0)
def say(word):
    with open(sys.argv[2], "a") as file:
        file.write(word + "\\n")
def values(found=None):
    return {"tokens": np.ones((256, 1), np.float32)}
"""
    return subprocess.Popen(
        [sys.executable, "-c", start + code, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}, **options,  # type: ignore[call-overload]
    )  # fmt: skip


def test_it_is_made_once(tmp_path):
    store = Store(tmp_path / "new" / "folder", 1.0)
    assert store.load("a") is None
    made = store.fetch("a", {"what": "scan"}, values)
    again = Store(store.folder, 1.0).fetch("a", {}, never)
    np.testing.assert_array_equal(again["tokens"], values()["tokens"])
    np.testing.assert_array_equal(made["tokens"], again["tokens"])
    assert [path.name for path in store.folder.iterdir()] == ["a.safetensors"]  # no lock is left


def has(*rows: int):
    return lambda found: bool(found["rows"][list(rows)].all())


def adding(row: int):
    """Makes one more row of an entry of four."""

    def make(found):
        if found is None:
            found = {"tokens": np.full((4, 64), np.nan, np.float32), "rows": np.zeros(4, np.bool_)}
        assert not found["rows"][row]
        found["tokens"][row], found["rows"][row] = row, True
        return found

    return make


def test_an_entry_is_extended_and_who_has_it_open_keeps_what_he_has(tmp_path):
    store = Store(tmp_path, 1.0)
    first = store.fetch("a", {}, adding(1), has(1))
    second = store.fetch("a", {}, adding(3), has(1, 3))
    assert first["rows"].tolist() == [False, True, False, False]
    assert np.isnan(first["tokens"][3]).all()
    again = store.fetch("a", {}, never, has(1))
    for found in (second, again):
        assert found["rows"].tolist() == [False, True, False, True]
        assert found["tokens"][[1, 3], 0].tolist() == [1.0, 3.0]


def test_an_entry_that_is_extended_makes_no_room_for_itself(tmp_path):
    store = Store(tmp_path, 4 * KB)
    store.fetch("other", {}, values)
    store.fetch("a", {}, adding(0), has(0))  # 1 KB of values
    store.fetch("a", {}, adding(1), has(0, 1))
    assert store.load("other") is not None
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= store.limit


FILL = """
def has(found):
    return bool(found["rows"][row])
def add(found):
    if found is None:
        found = {"tokens": np.full((4, 64), np.nan, np.float32), "rows": np.zeros(4, np.bool_)}
    say(f"adds {row} to {found['rows'].sum()}")
    time.sleep(wait)
    found["tokens"][row], found["rows"][row] = row, True
    return found
"""


def test_processes_that_extend_one_entry_at_once_lose_nothing(tmp_path):
    said = tmp_path / "said"
    code = "row, wait = int(sys.argv[3]), 0.2" + FILL + "assert store.fetch('a', {}, add, has)['tokens'][row, 0] == row"
    every = [child(code, tmp_path / "cache", said, row) for row in range(4)]
    for process in every:
        assert process.wait(60) == 0, process.stderr.read()
    found = Store(tmp_path / "cache", 1.0).fetch("a", {}, never, has(0, 1, 2, 3))
    assert found["tokens"][:, 0].tolist() == [0, 1, 2, 3]
    assert sorted(line.split()[-1] for line in said.read_text().splitlines()) == ["0", "1", "2", "3"]  # one by one
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["a.safetensors"]


def test_a_process_killed_while_it_extends_an_entry_leaves_what_was_there(tmp_path):
    said, store = tmp_path / "said", Store(tmp_path / "cache", 1.0)
    store.fetch("a", {}, adding(0), has(0))
    process = child("row, wait = 2, 60" + FILL + "store.fetch('a', {}, add, has)", store.folder, said)
    while not said.exists() or not said.read_text():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert store.fetch("a", {}, never, has(0))["rows"].tolist() == [True, False, False, False]
    assert store.fetch("a", {}, adding(2), has(0, 2))["tokens"][[0, 2], 0].tolist() == [0.0, 2.0]


def test_a_full_disk_leaves_what_was_there(tmp_path):
    store = Store(tmp_path / "cache", 1.0)
    store.fetch("a", {}, adding(0), has(0))
    limit = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))
row, wait = 1, 0
"""
    code = limit + FILL + "print(store.fetch('a', {}, add, has)['tokens'][:2, 0].tolist())"
    out, error = child(code, store.folder, tmp_path / "said").communicate(timeout=30)
    assert out == "[0.0, 1.0]\n", error
    assert "not cached" in error
    assert store.load("a")["rows"].tolist() == [True, False, False, False]
    assert len(list(store.folder.iterdir())) == 1


def test_what_was_used_longest_ago_makes_room(tmp_path):
    store = Store(tmp_path, 4 * KB)  # an entry has 1 KB of values and a header
    for age, key in enumerate("abc"):
        store.fetch(key, {}, values)
        os.utime(store.path(key), (1000 + age, 1000 + age))
    assert store.load("a") is not None  # now b was used longest ago
    store.fetch("d", {}, values)
    assert sorted(path.stem for path in tmp_path.glob("*.safetensors")) == ["a", "c", "d"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= store.limit


def test_what_is_in_use_stays_readable_when_it_makes_room(tmp_path):
    store = Store(tmp_path, 1.9 * KB)
    mine = store.fetch("a", {}, lambda _: values(number=3.0))
    store.fetch("b", {}, values)
    assert not store.path("a").exists()
    np.testing.assert_array_equal(mine["tokens"], 3.0)


def test_more_than_the_bound_is_not_kept(tmp_path, caplog):
    store = Store(tmp_path, KB / 2)
    assert store.fetch("a", {"what": "scan"}, values)["tokens"].shape == (256, 1)
    assert "features.max_gb" in warnings_of(caplog)
    assert not list(tmp_path.iterdir())


def spoil_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def spoil_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [spoil_cut, spoil_byte, lambda path: path.write_bytes(b"")])
def test_a_damaged_entry_is_made_anew_and_said(tmp_path, caplog, spoil):
    store = Store(tmp_path, 1.0)
    store.fetch("a", {}, values)
    spoil(store.path("a"))
    found = store.fetch("a", {}, lambda _: values(number=2.0))
    assert found["tokens"].min() == 2.0
    assert warnings_of(caplog).count("are damaged") == 1
    caplog.clear()
    assert store.fetch("a", {}, never)["tokens"].min() == 2.0
    assert not warnings_of(caplog)


def test_a_folder_that_cannot_be_costs_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "cache", 1.0)
    assert store.fetch("a", {}, values)["tokens"].min() == 1.0
    assert "$CROSSFADE_CACHE" in warnings_of(caplog)


def test_a_fault_of_the_samples_is_not_taken_for_one_of_the_cache(tmp_path):
    def broken(_):
        raise FileNotFoundError("scan.png")

    with pytest.raises(FileNotFoundError, match=r"scan\.png"):
        Store(tmp_path, 1.0).fetch("a", {}, broken)
    assert not list(tmp_path.iterdir())


def test_of_two_processes_one_computes_and_the_other_waits(tmp_path):
    code = """
def make(found):
    say(f"made by {os.getpid()}")
    time.sleep(0.5)
    return values()
found = store.fetch("a", {}, make)
say(f"sum {found['tokens'].sum():g}")
"""
    said = tmp_path / "said"
    both = [child(code, tmp_path / "cache", said) for _ in range(2)]
    assert [process.wait(30) for process in both] == [0, 0]
    lines = said.read_text().splitlines()
    assert sum(line.startswith("made") for line in lines) == 1
    assert lines.count("sum 256") == 2


def test_a_killed_process_harms_nobody(tmp_path):
    said = tmp_path / "said"
    code = """
def make(found):
    say("computing")
    time.sleep(60)
store.fetch("a", {}, make)
"""
    process = child(code, tmp_path / "cache", said)
    while not said.exists() or not said.read_text():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list((tmp_path / "cache").glob(".*.lock"))  # it had no time to tidy up
    started = time.monotonic()
    Store(tmp_path / "cache", 1.0).fetch("a", {}, values)
    assert time.monotonic() - started < 5


def test_half_written_files_are_removed_once_nobody_writes_them(tmp_path):
    old, new = tmp_path / ".a.1.part", tmp_path / ".b.2.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * ABANDONED,) * 2)
    Store(tmp_path, 1.0).fetch("c", {}, values)
    assert not old.exists()
    assert new.exists()


def test_a_full_disk_costs_a_warning(tmp_path):
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))
print(store.fetch("a", {}, values)["tokens"].sum())
"""
    out, error = child(code, tmp_path / "cache", tmp_path / "said").communicate(timeout=30)
    assert out == "256.0\n"
    assert "not cached" in error
    assert not list((tmp_path / "cache").iterdir())  # nothing half-written either


@pytest.fixture
def open_folder():
    """A folder that every user may read: pytest's own are private."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_that_is_only_readable_is_read(open_folder):
    Store(open_folder, 1.0).fetch("a", {}, values)
    before = sorted(open_folder.iterdir())
    open_folder.chmod(0o555)
    code = """
if os.geteuid() == 0:
    os.setuid(65534)  # root may write anywhere
def never(found):
    raise AssertionError
print(store.fetch("a", {}, never)["tokens"].sum(), store.fetch("b", {}, values)["tokens"].sum())
"""
    out, error = child(code, open_folder, "unused").communicate(timeout=30)
    assert out == "256.0 256.0\n", error
    assert error.count("not cached") == 1
    assert sorted(open_folder.iterdir()) == before
