"""`crossfade cache ls` and `clear`."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from crossfade.cache.store import Store
from crossfade.cli import run
from crossfade.data.synthetic.cache import save


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Two entries of features, one of them not used for ten days, and one rendered file."""
    monkeypatch.setenv("CROSSFADE_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "140")
    store = Store(tmp_path / "features", 1.0)
    about = {"encoder": "TimmEncoder test_vit", "data": "set.csv", "samples": "60"}
    values = {"tokens": np.ones((60, 1, 64), np.float32), "mask": np.ones((60, 1), bool)}
    for key, name in (("aa", "scan"), ("bb", "note")):
        store.fetch(key, {"what": name, **about}, lambda _: values)
    save(tmp_path / "medical" / "ct-0123456789abcdef.npz", {"images": np.ones(1000)})
    old = time.time() - 10 * 86400
    os.utime(store.path("bb"), (old, old))
    (tmp_path / "mine.txt").write_text("not ours")
    return tmp_path


def left(cache):
    return sorted(path.name for path in cache.rglob("*") if path.is_file() and path.name != "mine.txt")


def test_ls_says_what_lies_there(cache, capsys):
    assert run("cache", ["ls"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[1]: line for line in lines[1:4]}
    assert list(rows) == ["ct", "scan", "note"] or list(rows) == ["scan", "ct", "note"]  # used last first
    for word in ("features", "TimmEncoder test_vit", "set.csv", " 60 ", "1 × 64", "15 KB"):
        assert word in rows["scan"]
    assert "medical" in rows["ct"]
    assert time.strftime("%Y-%m-%d", time.localtime(time.time() - 10 * 86400)) in rows["note"]
    total = sum(path.stat().st_size for path in cache.rglob("*.*") if path.suffix != ".txt")
    assert f"In all: 3 files, {total / 1024:.0f} KB" in lines[-1]
    assert len(left(cache)) == 3


def test_ls_of_one_kind(cache, capsys):
    run("cache", ["ls", "kind=data"])
    out = capsys.readouterr().out
    assert "ct" in out
    assert "scan" not in out
    assert "1 file," in out


def test_ls_of_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CROSSFADE_CACHE", str(tmp_path / "nowhere"))
    assert run("cache", ["ls"]) == 0
    assert "0 files" in capsys.readouterr().out


def test_clear_says_what_it_removed(cache, capsys):
    assert run("cache", ["clear", "older_than=7"]) == 0
    out = capsys.readouterr().out
    assert "note" in out
    assert "Removed: 1 file," in out
    assert left(cache) == ["aa.safetensors", "ct-0123456789abcdef.npz"]
    run("cache", ["clear", "kind=features"])
    assert left(cache) == ["ct-0123456789abcdef.npz"]
    run("cache", ["clear"])
    assert left(cache) == []
    assert (cache / "mine.txt").exists()
    capsys.readouterr()
    run("cache", ["clear"])
    assert "Nothing to remove" in capsys.readouterr().out


def test_a_damaged_entry_is_listed_as_such(cache, capsys):
    (cache / "features" / "aa.safetensors").write_bytes(b"?")
    run("cache", ["ls"])
    assert "damaged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "ls or clear"),
        (["cler"], 'Did you mean "clear"?'),
        (["ls", "kind=feature"], 'Did you mean "features"?'),
        (["clear", "older_than=week"], "older_than=30"),
        (["clear", "older_than=-1"], "older_than=30"),
        (["clear", "older_than=nan"], "older_than=30"),
        (["clear", "olderthan=3"], 'Did you mean "older_than"?'),
    ],
)
def test_a_mistake_removes_nothing(cache, capsys, arguments, said):
    assert run("cache", arguments) == 2
    assert said in capsys.readouterr().err
    assert len(left(cache)) == 3


def test_help_and_list_import_nothing_heavy(cache):
    code = "import sys; from crossfade.cli import run; run('cache', ['--help']); run('cache', ['ls']); "
    code += "assert not {'torch', 'pandas', 'hydra'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "older_than" in done.stdout
