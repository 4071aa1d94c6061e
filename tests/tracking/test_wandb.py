"""W&B for real, offline: what is written, under which directory, with which exit code; and without a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import wandb

import wandb_server
from crossfade.runs import RunFolder, new_folder, write_text
from crossfade.tracking import SafeLogger
from crossfade.tracking import wandb as tracking
from crossfade.tracking.results import Results
from crossfade.tracking.wandb import WandbLogger, logged_in, shared_directory

CONFIG = {"name": None, "group": "sweep-1", "tags": ["x", "y"], "alpha": 0.3, "task": {"name": "medical"}}


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    # W&B refuses addresses that are not its own unless they are asked for; this one never answers
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    wandb.teardown()


def use(server: wandb_server.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Log in there: W&B reads its environment once, unless it is set up anew."""
    monkeypatch.setenv("WANDB_API_KEY", wandb_server.KEY)
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    wandb.teardown()


RESULTS = Results(
    {"test/x/accuracy": 0.75}, {"confusion/x": pd.DataFrame({"truth": ["a"], "samples": [3]}, dtype=object)}
)


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
        WandbLogger(folder, CONFIG).conclude(RESULTS if status == "success" else None)

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
    for file in shared.glob(f"*-{names[1]}*/*.wandb"):
        found = records(file)
        assert [e.get("exit_code", 0) for e in found["exit"]] == [0]
        assert [s["update"]["test/x/accuracy"] for s in found["summary"] if "test/x/accuracy" in s["update"]] == [0.75]
        assert found["history"][-1]["item"]["confusion/x.nrows"] == 1  # the table is in the same run


@pytest.mark.slow
@pytest.mark.parametrize("sweep", [False, True])
def test_a_server_that_does_not_answer_makes_the_run_an_offline_one(tmp_path, monkeypatch, caplog, capsys, sweep):
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setattr(tracking, "START_SECONDS", 1.0)
    folder = run_folder(tmp_path)
    if sweep:
        (folder.path.parent / "ledger.sqlite").touch()
    for _ in range(2):  # the second one resumes it
        logger = WandbLogger(folder, CONFIG)
        logger.log_metrics({"val/loss": 1.0, "epoch": 0}, 9)
        logger.finalize("success")
        logger.conclude(Results())
    assert caplog.text.count("W&B does not answer") == (1 if sweep else 2)  # a sweep does not wait for it again
    assert capsys.readouterr().out.count("wandb sync") == 2
    files = list((shared_directory(folder.path) / "wandb").glob("offline-run-*/*.wandb"))
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


def test_a_sweep_has_a_directory_of_its_own_and_other_runs_share_one(tmp_path):
    for path in ("logs/runs/a", "logs/runs/a/fold_1", "logs/runs/a/singles/ct"):
        assert shared_directory(Path("/x") / path) == Path("/x/logs")
    assert shared_directory(Path("/elsewhere/a")) == Path("/elsewhere")
    for place in ("logs/sweeps/s", "elsewhere/s"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "ledger.sqlite").touch()
        for job in ("0_a", "0_a/fold_1"):
            assert shared_directory(tmp_path / place / job) == tmp_path / place


def test_names_are_overrides_and_folds_a_group(tmp_path):
    folder = run_folder(tmp_path)
    assert WandbLogger(folder, CONFIG)._name() == "fusion=weighted alpha=0.3"
    assert WandbLogger(folder, {**CONFIG, "name": "mine"})._name() == "mine"
    sweep = tmp_path / "sweep"
    job = RunFolder(sweep / "03_alpha=0.3" / "fold_1")
    job.path.mkdir(parents=True)
    (sweep / "ledger.sqlite").touch()
    config = {**CONFIG, "name": "mine"}
    write_text(job.overrides_file, "name=mine\nalpha=0.3\ndata.fold=1\n")
    assert WandbLogger(job, config)._name() == "alpha=0.3 data.fold=1"  # what all jobs have in common says nothing
    write_text(job.overrides_file, f"task.modalities=[{'x' * 130}]\n")
    assert WandbLogger(job, config)._name() == "03_alpha=0.3/fold_1"  # W&B takes no more than 128 characters
    one_fold = {"folds": 5, "data": {"fold": 1}}
    assert tracking._is_fold(one_fold)
    assert WandbLogger(job, one_fold)._cross_validation() == "03_alpha=0.3"
    assert WandbLogger(RunFolder(job.path.parent), {"folds": 5, "data": {"fold": None}})._cross_validation() == (
        "03_alpha=0.3"
    )
    assert WandbLogger(folder, CONFIG)._cross_validation() is None


@pytest.mark.slow
def test_an_online_run_arrives_whole_and_a_resumed_one_goes_on(tmp_path, monkeypatch, caplog):
    folder = run_folder(tmp_path)
    config = {**CONFIG, "fusion": {"_target_": "crossfade.fusion.elementwise.weighted.Weighted"}}
    with wandb_server.serving() as server:
        use(server, monkeypatch)
        for step, status in ((9, "failed"), (19, "success")):
            logger = SafeLogger("wandb", WandbLogger(folder, config))
            logger.log_metrics({"val/loss": 1.0 / step, "epoch": step // 10}, step)
            logger.finalize(status)
            SafeLogger("wandb", WandbLogger(folder, config)).conclude(RESULTS if status == "success" else None)
            [(name, code)] = server.exit_code.items()
            assert code == (0 if status == "success" else 1)
    assert not [record for record in caplog.records if record.name == "crossfade"]
    assert name == (folder.path / "wandb_id.txt").read_text().strip()
    run = server.runs[name]
    assert (run["groupName"], run["jobType"], run["tags"]) == ("sweep-1", "train", ["x", "y"])
    assert (run["displayName"], run["project"]) == ("fusion=weighted alpha=0.3", "crossfade")
    sent = json.loads(run["config"])
    assert sent["alpha"]["value"] == 0.3
    assert sent["strategy"]["value"] == "weighted"
    assert [line["trainer/step"] for line in server.history[name] if "val/loss" in line] == [9, 19]
    assert server.summary[name]["test/x/accuracy"] == 0.75
    assert server.summary[name]["confusion/x"]["nrows"] == 1
    assert any(file.startswith("media/table/confusion/x") for file in server.uploaded[name])


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["slow", "refuses"])
def test_a_server_that_is_slow_or_refuses_the_key_costs_seconds_and_nothing_else(tmp_path, monkeypatch, caplog, fault):
    monkeypatch.setattr(tracking, "START_SECONDS", 1.0)
    folder = run_folder(tmp_path)
    with wandb_server.serving(slow=60.0 * (fault == "slow"), refuses=fault == "refuses") as server:
        use(server, monkeypatch)
        since = time.monotonic()
        logger = SafeLogger("wandb", WandbLogger(folder, CONFIG))
        logger.log_metrics({"val/loss": 1.0, "epoch": 0}, 9)
        logger.finalize("success")
        SafeLogger("wandb", WandbLogger(folder, CONFIG)).conclude(RESULTS)
        assert time.monotonic() - since < 15
    assert caplog.text.count("this run is kept offline") == 1
    found = records(only(tmp_path / "logs" / "wandb", "offline-run-*/*.wandb"))
    assert [e.get("exit_code", 0) for e in found["exit"]] == [0]
    assert any(s["update"].get("test/x/accuracy") == 0.75 for s in found["summary"])


@pytest.mark.slow
def test_a_server_that_stops_answering_does_not_hold_up_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "FINISH_SECONDS", 1.0)
    folder = run_folder(tmp_path)
    with wandb_server.serving() as server:
        use(server, monkeypatch)
        logger = SafeLogger("wandb", WandbLogger(folder, CONFIG))
        logger.log_metrics({"val/loss": 1.0, "epoch": 0}, 9)
        server.slow = 60.0
        since = time.monotonic()
        logger.log_metrics({"val/loss": 0.5, "epoch": 1}, 19)
        logger.finalize("success")
        assert time.monotonic() - since < 1
        SafeLogger("wandb", WandbLogger(folder, CONFIG)).conclude(Results({"test/x/accuracy": 0.75}))
        assert time.monotonic() - since < 10
    found = records(only(tmp_path / "logs" / "wandb", "run-*/*.wandb"))  # all of it is on disk
    assert [h["item"]["val/loss"] for h in found["history"]] == [1.0, 0.5]
    assert any(s["update"].get("test/x/accuracy") == 0.75 for s in found["summary"])


@pytest.mark.slow
def test_one_command_sends_a_whole_sweep(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", wandb_server.KEY)
    sweep = tmp_path / "sweep"
    sweep.mkdir()
    (sweep / "ledger.sqlite").touch()
    for number, step, results in ((0, 9, None), (1, 9, None), (0, 19, RESULTS)):  # the first one is run again
        job = RunFolder(sweep / f"0{number}_seed={number}")
        job.path.mkdir(exist_ok=True)
        write_text(job.overrides_file, f"seed={number}\n")
        config = {**CONFIG, "group": "sweep"}
        logger = WandbLogger(job, config, mode="offline")
        logger.log_metrics({"val/loss": 1.0 / step, "epoch": step // 10}, step)
        logger.finalize("success")
        WandbLogger(job, config).conclude(results)
    tool = str(Path(sys.executable).with_name("wandb"))
    with wandb_server.serving() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        subprocess.run([tool, "sync", "--yes", str(sweep / "wandb")], capture_output=True, check=True)
    codes = {server.runs[name]["displayName"]: code for name, code in server.exit_code.items()}
    assert codes == {"seed=0": 0, "seed=1": 1}
    assert {run["groupName"] for run in server.runs.values()} == {"sweep"}
    steps = {
        server.runs[name]["displayName"]: [line["trainer/step"] for line in history if "val/loss" in line]
        for name, history in server.history.items()
    }
    assert steps == {"seed=0": [9, 19], "seed=1": [9]}
