"""`train -m`, through Hydra, with the training replaced by a fake."""

from __future__ import annotations

import errno
import re
import sqlite3
import sys
from pathlib import Path

import pytest

from crossfade.cli import run as command
from crossfade.config import RunConfig
from crossfade.runs import RunFolder
from crossfade.sweeps.ledger import Ledger
from test_cli import outcome, runs  # noqa: F401  the fixture


@pytest.fixture
def jobs(runs: list) -> list:  # noqa: F811
    return runs


def test_each_distinct_job_runs_once_in_a_folder_of_the_sweep(jobs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("-m", "fusion=weighted,sum,max", "alpha=0.1,0.5,0.9") == 0
    shown = capsys.readouterr().out
    assert "9 jobs, 5 distinct: α plays no part in max, sum" in shown
    assert [folder.name for _, folder, _ in jobs] == [
        "00_fusion=weighted,alpha=0.1",
        "01_fusion=weighted,alpha=0.5",
        "02_fusion=weighted,alpha=0.9",
        "03_fusion=sum",
        "04_fusion=max",
    ]
    (sweep,) = {folder.parent for _, folder, _ in jobs}
    assert sweep.parent == Path("logs/sweeps")
    assert {config.group for config, _, _ in jobs} == {sweep.name}
    assert {config.singles_cache for config, _, _ in jobs} == {str(sweep / "singles")}
    assert jobs[1][2] == ["fusion=weighted", "alpha=0.5"]
    assert jobs[3][2] == ["fusion=sum"]
    rows = [line for line in shown.splitlines() if "_fusion=" in line and "│" in line]
    assert [row.split(",")[1].split(" ")[0] for row in rows[:2]] == ["alpha=0.9", "alpha=0.5"]
    assert not Path("multirun").exists()


def test_alpha_that_no_job_uses_is_a_mistake(jobs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("-m", "fusion=sum,max", "alpha=0.5") == 2
    assert "alpha=0.5: fusion=sum has no α." in capsys.readouterr().err
    assert not jobs


def test_a_field_of_some_strategies_plays_no_part_in_the_others(jobs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("-m", "fusion=sum,lmf", "fusion.rank=2,3", "seed=0,1") == 0
    assert "8 jobs, 6 distinct: fusion.rank plays no part in sum" in capsys.readouterr().out
    assert [folder.name for _, folder, _ in jobs] == [
        *("00_fusion=sum,seed=0", "01_fusion=sum,seed=1"),
        *(f"0{2 + i}_fusion=lmf,fusion.rank={2 + i // 2},seed={i % 2}" for i in range(4)),
    ]
    assert jobs[0][2] == ["fusion=sum", "seed=0"]  # a command that trains it alone
    assert [config.fusion.get("rank") for config, _, _ in jobs] == [None, None, 2, 2, 3, 3]
    assert outcome("-m", "fusion=sum,lmf", "fusion.rank=4") == 0
    assert [config.fusion.get("rank") for config, _, _ in jobs[6:]] == [None, 4]
    assert jobs[6][2] == ["fusion=sum"]


def test_a_field_of_no_strategy_is_a_mistake(jobs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("-m", "fusion=sum,max", "fusion.rank=2,3") == 2
    assert "fusion.rank: unknown key." in capsys.readouterr().err
    assert outcome("-m", "fusion=sum,lmf", "fusion.rnak=2,3") == 2
    assert "fusion.rnak: unknown key." in capsys.readouterr().err
    assert not jobs


def test_a_fixed_alpha_goes_to_the_jobs_that_use_it(jobs: list) -> None:
    assert outcome("-m", "fusion=sum,weighted", "alpha=0.5") == 0
    assert [config.alpha for config, _, _ in jobs] == [None, 0.5]


def test_all_jobs_are_checked_before_the_first_starts(jobs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("-m", "seed=0,-1", "core.heads=4,3") == 2
    shown = capsys.readouterr().err
    assert "seed=-1: must be at least 0." in shown
    assert "core.heads=3: must divide width=64." in shown
    assert not jobs
    assert not Path("logs").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seed=range(3,3)", "seed=range(3,3): no values, so the sweep would have no jobs."),
        ("seed=glob(x*)", "seed=glob(x*): a pattern chooses options of a group, and seed is none."),
        ("fusion=glob(zz*)", "fusion=glob(zz*): no fusion is called like that"),
        ("seed=choice()", "seed=choice(): cannot be read"),
    ],
)
def test_an_empty_sweep_is_a_mistake(
    setting: str, message: str, jobs: list, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome("-m", setting, "width=32") == 2
    assert message in capsys.readouterr().err
    assert not jobs


def test_a_pattern_chooses_the_options_that_match(jobs: list) -> None:
    assert outcome("-m", "fusion=glob(mu*)") == 0
    assert [config.fusion["_target_"].rpartition(".")[2] for config, _, _ in jobs] == ["Multiplicative", "MUTAN"]


def test_wrong_options_and_keys_of_a_sweep_are_said_together(jobs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("-m", "fusion=sum,maxx", "sede=1") == 2
    shown = capsys.readouterr().err
    assert 'fusion=maxx: there is no such fusion. Did you mean "max"?' in shown
    assert 'sede: unknown key. Did you mean "seed"?' in shown


def test_a_failing_job_does_not_stop_the_others(jobs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("-m", "name=broken", "seed=0,1") == 1
    shown = capsys.readouterr().out
    assert re.search(r"failed: 00_seed=0: ValueError: boom \(see logs/sweeps/\S+/00_seed=0/run.log\)", shown)
    assert "[2/2] 01_seed=1" in shown
    (sweep,) = {folder.parent for _, folder, _ in jobs}
    assert "ValueError: boom" in (sweep / "00_seed=0" / "run.log").read_text()
    assert [(e.state, e.error, e.attempts) for e in Ledger.open(sweep).entries()] == [
        ("failed", "ValueError: boom", 1),
        ("finished", None, 1),
    ]


def test_a_failure_is_said_with_all_of_its_settings(jobs: list, capsys: pytest.CaptureFixture[str]) -> None:
    many = ["optim.lr=0.001,0.002", "data.batch_size=32,64", "optim.weight_decay=0.01,0.1", "core.dropout=0.1,0.2"]
    assert outcome("-m", "name=broken", *many, "seed=0,1") == 1
    shown = capsys.readouterr().out
    settings = "optim.lr=0.001,data.batch_size=32,optim.weight_decay=0.01,core.dropout=0.1,seed=0"
    assert f"({settings}): ValueError: boom (see logs/sweeps/" in shown


def test_fail_fast_starts_no_further_job(jobs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("-m", "name=broken", "seed=0,1", "fail_fast=true") == 1
    shown = capsys.readouterr().out
    assert "The sweep stopped: 00_seed=0 failed, and fail_fast=true." in shown
    assert len(jobs) == 1
    assert outcome("-m", "name=broken", "seed=0,1") == 1  # goes on with what was not begun, not with what failed
    assert [folder.name for _, folder, _ in jobs] == ["00_seed=0", "01_seed=1"]
    assert outcome("-m", "name=broken", "seed=0,1", "retry=true") == 1
    assert [folder.name for _, folder, _ in jobs] == ["00_seed=0", "01_seed=1", "00_seed=0"]


def test_the_same_command_again_runs_nothing_twice(jobs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("-m", "seed=0,1") == 0
    assert outcome("-m", "seed=0,1") == 0
    assert "2 finished, nothing to run" in capsys.readouterr().out
    assert outcome("-m", "seed=0,1,2") == 0  # other jobs: another sweep
    assert outcome("-m", "seed=0,1", "hydra.sweep.dir=elsewhere") == 0
    assert [folder.name for _, folder, _ in jobs] == [
        *("00_seed=0", "01_seed=1"),
        *("00_seed=0", "01_seed=1", "02_seed=2"),
        *("00_seed=0", "01_seed=1"),
    ]


def test_a_sweep_grows_in_its_folder(jobs: list) -> None:
    assert outcome("-m", "seed=0,1", "hydra.sweep.dir=mine") == 0
    assert outcome("-m", "seed=0,1,2", "hydra.sweep.dir=mine") == 0
    assert [folder.name for _, folder, _ in jobs] == ["00_seed=0", "01_seed=1", "02_seed=2"]
    commands = Ledger.open(Path("mine")).commands()
    assert commands == [["hydra.sweep.dir=mine", "++seed=0,1"], ["hydra.sweep.dir=mine", "++seed=0,1,2"]]
    assert outcome("-m", "seed=0,1,2", "hydra.sweep.dir=mine") == 0  # nothing new
    assert len(Ledger.open(Path("mine")).commands()) == 2


def test_a_grown_sweep_is_resumed_with_all_of_its_jobs(jobs: list) -> None:
    assert outcome("-m", "seed=1,2", "hydra.sweep.dir=mine") == 0
    assert outcome("-m", "seed=0,5", "name=broken", "fail_fast=true", "hydra.sweep.dir=mine") == 1
    assert [entry.state for entry in Ledger.open(Path("mine")).entries()] == [*["finished"] * 2, "failed", "waiting"]
    with pytest.raises(SystemExit) as end:
        command("sweep", ["resume", "mine", "fail_fast=false"])
    assert end.value.code == 1
    assert [entry.state for entry in Ledger.open(Path("mine")).entries()] == [*["finished"] * 2, "failed", "finished"]


def test_an_older_ledger_beside_does_not_keep_a_sweep_from_beginning(jobs: list) -> None:
    assert outcome("-m", "seed=0,1") == 0
    (old,) = Path("logs/sweeps").glob("*/ledger.sqlite")
    with sqlite3.connect(old) as connection:
        connection.execute("pragma user_version = 99")
    assert outcome("-m", "seed=0,1") == 0
    old.write_text("no ledger")
    assert outcome("-m", "seed=0,1,2") == 0
    assert len({folder.parent for _, folder, _ in jobs}) == 3


def test_a_sweep_of_other_code_is_named_and_left_alone(
    jobs: list, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome("-m", "seed=0,1") == 0
    monkeypatch.setattr("crossfade.sweeps.opened.code", lambda: "another")
    assert outcome("-m", "seed=0,1") == 0
    assert "has the same jobs, by other code than today's" in capsys.readouterr().out
    assert len(jobs) == 4


def test_an_interrupted_sweep_is_resumed_by_its_folder(
    jobs: list, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(config: RunConfig, folder: Path, overrides: list[str]) -> None:
        if config.seed == 1:
            with RunFolder(folder).running():
                raise KeyboardInterrupt
        train(config, folder, overrides)

    module = sys.modules["crossfade.experiment"]
    train = module.run
    monkeypatch.setattr(module, "run", stop)
    assert outcome("-m", "seed=0,1,2", "hydra.sweep.dir=mine") == 130
    assert "crossfade sweep resume mine" in capsys.readouterr().out
    assert [entry.state for entry in Ledger.open(Path("mine")).entries()] == ["finished", "interrupted", "waiting"]
    monkeypatch.setattr(module, "run", train)
    assert command("sweep", ["resume", "mine"]) == 0
    capsys.readouterr()
    assert [folder.name for _, folder, _ in jobs] == ["00_seed=0", "01_seed=1", "02_seed=2"]
    assert command("sweep", ["status", "mine"]) == 0
    assert capsys.readouterr().out.count("0.250") == 3


def test_a_full_disk_ends_the_sweep_and_loses_nothing(
    jobs: list, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(config: RunConfig, folder: Path, overrides: list[str]) -> None:
        if config.seed == 1:
            with RunFolder(folder).running():
                raise OSError(errno.ENOSPC, "No space left on device")
        train(config, folder, overrides)

    module = sys.modules["crossfade.experiment"]
    train = module.run
    monkeypatch.setattr(module, "run", full)
    assert outcome("-m", "seed=0,1,2", "hydra.sweep.dir=mine") == 1
    assert "The sweep stopped: No space left on device." in capsys.readouterr().out
    monkeypatch.setattr(module, "run", train)
    assert outcome("-m", "seed=0,1,2", "hydra.sweep.dir=mine") == 0
    assert [folder.name for _, folder, _ in jobs] == ["00_seed=0", "01_seed=1", "02_seed=2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resume", "nowhere"], "nowhere is no sweep: it has no ledger.sqlite."),
        (["resum", "mine"], 'sweep resum: must be one of resume, status. Did you mean "resume"?'),
        (["resume", "mine", "seed=3"], "seed=3: the jobs of a sweep are fixed"),
        (["resume"], "Give one sweep folder"),
    ],
)
def test_mistakes_of_the_sweep_command(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("sweep", arguments) == 2
    assert message in capsys.readouterr().err


def test_values_of_a_range_are_rounded(jobs: list) -> None:
    assert outcome("-m", "fusion=weighted", "alpha=range(0,0.25,0.05)") == 0
    assert [config.alpha for config, _, _ in jobs] == [0, 0.05, 0.1, 0.15, 0.2]


def test_a_label_makes_no_new_job(jobs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("-m", "name=one,two") == 0
    assert "2 jobs, 1 distinct: name plays no part" in capsys.readouterr().out
    assert len(jobs) == 1
    assert outcome("-m", "name=one", "trainer.progress=false") == 0  # nor does what is shown
    assert "1 finished, nothing to run" in capsys.readouterr().out


def test_a_sweep_goes_where_the_user_says(jobs: list) -> None:
    assert outcome("-m", "seed=0,1", "hydra.sweep.dir=my/sweep") == 0
    assert [folder for _, folder, _ in jobs] == [Path("my/sweep/00_seed=0"), Path("my/sweep/01_seed=1")]


def test_folder_names_are_bounded_and_safe(jobs: list) -> None:
    long = "task.modalities=[ct,ultrasound],[ct,mri,ultrasound,note,vitals]"
    assert outcome("-m", long, "encoder.text.dropout=0.125", "data.source={samples: 20},{samples: 30}") == 0
    assert len(jobs) == 4
    for _, folder, _ in jobs:
        assert len(folder.name) <= 80
        assert folder.parent.parent == Path("logs/sweeps")
        assert folder.is_dir()


def test_a_group_of_the_users_own_is_kept(jobs: list) -> None:
    assert outcome("-m", "seed=0,1", "group=mine") == 0
    assert {config.group for config, _, _ in jobs} == {"mine"}
