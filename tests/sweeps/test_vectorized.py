"""A sweep whose jobs train as one stack ends as the same sweep one after another."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from crossfade.cli import run as command
from crossfade.runs import RunFolder
from crossfade.sweeps.ledger import Ledger

TINY = (
    *("task=synthetic", "data.source.law=gaussian", "data.source.samples=200", "width=8", "trainer.epochs=2"),
    *("trainer.precision=64-true", "singles=false", "patterns=false"),
)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])


def sweep(*settings: str) -> int:
    try:
        return command("train", ["-m", *TINY, *settings])
    except SystemExit as end:
        return int(end.code or 0)


def test_the_same_numbers_as_one_after_another(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("fusion=weighted,concat", "alpha=0,0.3,0.6,1")
    assert sweep(*settings, "hydra.sweep.dir=alone") == 0
    assert sweep(*settings, "hydra.sweep.dir=stack", "hydra/launcher=vectorized", "hydra.launcher.workers=1") == 0
    assert "1 job not stacked: fewer than 4 of a kind" in capsys.readouterr().out
    entries = Ledger.open(Path("stack")).entries()
    assert [(e.state, e.attempts) for e in entries] == [("finished", 1)] * 5
    for entry in entries:
        one, other = (RunFolder(Path(place) / entry.name) for place in ("alone", "stack"))
        pd.testing.assert_frame_equal(one.predictions("test"), other.predictions("test"), atol=1e-6, rtol=0)
        assert one.overrides() == other.overrides()
        assert one.summary().keys() == other.summary().keys()
        assert list(one.metrics()) == list(other.metrics())
        stacked = "Trained as one of 4 stacked runs" in other.log_file.read_text()
        assert stacked == (entry.name != "04_fusion=concat")


def test_one_that_diverges_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("optim.lr=0.001,0.003,0.01,1e30", "optim.schedule=constant", "optim.warmup=0.0", "logger=wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert sweep(*settings, "hydra.sweep.dir=x", "hydra/launcher=vectorized") == 1
    assert len(list(Path("x").glob("*/wandb_id.txt"))) == 4  # also of the one that failed before its first metric
    assert len(list(Path("x").glob("wandb/offline-run-*"))) == 4
    entries = Ledger.open(Path("x")).entries()
    assert [entry.state for entry in entries] == ["finished"] * 3 + ["failed"]
    assert "The loss is nan" in (entries[3].error or "") or "The loss is inf" in (entries[3].error or "")
    assert "failed: 03_optim.lr=1e" in capsys.readouterr().out


def test_what_was_begun_goes_on_alone(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("alpha=0,0.3,0.6,1", "hydra.sweep.dir=x", "hydra/launcher=vectorized", "hydra.launcher.workers=1")
    assert sweep(*settings) == 0
    folder = Path("x") / "01_alpha=0.3"
    before = RunFolder(folder).predictions("test")
    for name in ("summary.json", "status.json"):
        (folder / name).unlink()
    assert sweep(*settings) == 0
    shown = capsys.readouterr().out
    assert "3 finished, 1 to run" in shown
    pd.testing.assert_frame_equal(before, RunFolder(folder).predictions("test"))
