"""W&B for real, offline: what is written, under which directory, with which exit code; and without a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crossfade.runs import RunFolder, new_folder, write_text
from crossfade.tracking import wandb as tracking
from crossfade.tracking.wandb import WandbLogger, logged_in, shared_directory

CONFIG = {"name": None, "group": "sweep-1", "tags": ["x", "y"], "alpha": 0.3, "task": {"name": "medical"}}


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    # W&B refuses addresses that are not its own unless they are asked for; this one never answers
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


def run_folder(tmp_path: Path) -> RunFolder:
    folder = new_folder(tmp_path / "logs" / "runs", "medical_weighted")
    write_text(folder.overrides_file, "fusion=weighted\nalpha=0.3\n")
    return folder


def records(file: Path) -> dict[str, list[Any]]:
    """What the file holds, by type of record."""
    tool = Path(sys.executable).with_name("wandb")
    command = [str(tool), "leet", "inspect", "--json", str(file)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found: dict[str, list[Any]] = {}
    for record in map(json.loads, lines):
        found.setdefault(record["type"], []).append(record[record["type"]])
    return found


def only(folder: Path, pattern: str) -> Path:
    [file] = folder.glob(pattern)
    return file


@pytest.mark.slow
def test_offline_runs_hold_everything_share_a_directory_and_resume(tmp_path, capsys):
    failed, good = run_folder(tmp_path), run_folder(tmp_path)
    for folder, status in ((failed, "failed"), (good, "success"), (good, "success")):
        logger = WandbLogger(folder, CONFIG)
        logger.log_metrics({"val/loss": 1.0, "epoch": 0}, 9)
        logger.log_metrics({"val/loss": 0.5, "epoch": 1}, 19)
        logger.finalize(status)
        logger.finalize("success")  # Lightning's second call, too late to make a success of it

    names = [(folder.path / "wandb_id.txt").read_text().strip() for folder in (failed, good)]
    shared = tmp_path / "logs" / "wandb"
    assert len(list(shared.glob("offline-run-*"))) == 3
    assert (
        len(list(shared.glob(f"offline-run-*-{names[1]}*"))) == 2
    )  # the resumed run has the same ID (and "-1" in the same second)
    told = capsys.readouterr().out.splitlines()
    assert [line.count("wandb sync ") for line in told] == [1, 1, 1]
    assert Path(told[0].rpartition(" ")[2]) == only(shared, f"*-{names[0]}")

    found = records(only(shared, f"*-{names[0]}/*.wandb"))
    [run] = found["run"]
    assert run["display_name"] == "fusion=weighted alpha=0.3"
    assert (run["run_group"], run["job_type"], run["tags"]) == ("sweep-1", "train", ["x", "y"])
    assert run["config"]["update"]["task"] == {"name": "medical"}
    assert [(h["item"]["trainer/step"], h["item"]["val/loss"]) for h in found["history"]] == [(9, 1.0), (19, 0.5)]
    assert [e["exit_code"] for e in found["exit"]] == [1]
    for file in shared.glob(f"*-{names[1]}/*.wandb"):
        assert [e.get("exit_code", 0) for e in records(file)["exit"]] == [0]


@pytest.mark.slow
def test_a_server_that_does_not_answer_makes_the_run_an_offline_one(tmp_path, monkeypatch, caplog, capsys):
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setattr(tracking, "START_SECONDS", 1.0)
    folder = run_folder(tmp_path)
    for _ in range(2):  # the second one resumes it
        logger = WandbLogger(folder, CONFIG)
        logger.log_metrics({"val/loss": 1.0, "epoch": 0}, 9)
        logger.finalize("success")
    assert caplog.text.count("W&B does not answer") == 2
    assert capsys.readouterr().out.count("wandb sync") == 2
    files = list((tmp_path / "logs" / "wandb").glob("offline-run-*/*.wandb"))
    assert len(files) == 2
    assert all(len(records(file)["history"]) == 1 for file in files)


def test_nothing_is_started_before_the_first_metric(tmp_path):
    folder = run_folder(tmp_path)
    WandbLogger(folder, CONFIG).finalize("success")
    assert not (tmp_path / "logs" / "wandb").exists()


@pytest.mark.parametrize(
    ("mode", "key", "variable", "expected"),
    [
        ("auto", "", "", "offline"),
        ("auto", "a" * 40, "", "online"),
        ("auto", "a" * 40, "offline", "offline"),
        ("auto", "", "disabled", "disabled"),
        ("offline", "a" * 40, "online", "offline"),  # what the config says plainly counts
        ("online", "", "offline", "online"),
    ],
)
def test_mode(tmp_path, monkeypatch, mode, key, variable, expected):
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("WANDB_MODE", variable)
    assert WandbLogger(run_folder(tmp_path), CONFIG, mode=mode)._mode() == expected


def test_a_netrc_entry_is_a_login_for_its_host_only(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert not logged_in()
    (tmp_path / "netrc").write_text("machine other.example.org login user password " + "a" * 40 + "\n")
    assert not logged_in()
    (tmp_path / "netrc").write_text("machine wandb.example.org login user password " + "a" * 40 + "\n")
    assert logged_in()


def test_runs_sweeps_and_folds_share_one_directory():
    for path in ("logs/runs/a", "logs/sweeps/s/0_a", "logs/sweeps/s/0_a/fold_1", "logs/runs/a/singles/ct"):
        assert shared_directory(Path("/x") / path) == Path("/x/logs")
    assert shared_directory(Path("/elsewhere/a")) == Path("/elsewhere")
