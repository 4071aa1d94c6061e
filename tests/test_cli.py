"""The command line, with the training replaced by a fake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest
import yaml

import crossfade
from crossfade.cli import main, run
from crossfade.config import RunConfig, compose, groups
from crossfade.runs import RunFolder
from crossfade.runs.status import Status

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "pytorch_lightning", "transformers", "timm", "pandas", "torchmetrics", "wandb", "matplotlib")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[RunConfig, Path, list[str]]]:
    """The calls of experiment.run, which trains nothing; the working directory is empty."""
    calls: list[tuple[RunConfig, Path, list[str]]] = []

    def fake(config: RunConfig, folder: Path, overrides: list[str]) -> dict[str, Any]:
        calls.append((config, folder, list(overrides)))
        with RunFolder(folder).running():
            return written(config, folder)

    def written(config: RunConfig, folder: Path) -> dict[str, Any]:
        if config.name == "broken" and config.seed == 0:
            raise ValueError("boom")
        alpha = config.fusion.get("alpha")
        summary = {
            "metrics": {"diagnosis/balanced_accuracy": alpha["ct"] if isinstance(alpha, dict) else 0.25},
            "main": "diagnosis/balanced_accuracy",
            "higher_is_better": True,
            "interval": [0.125, 0.375],
        }
        (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
        return summary

    module = types.ModuleType("crossfade.experiment")
    module.run = fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "crossfade.experiment", module)
    monkeypatch.setattr(crossfade, "experiment", module, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    return calls


def outcome(*arguments: str) -> int:
    """The exit code of `crossfade train …`."""
    try:
        return run("train", arguments)
    except SystemExit as end:
        return int(end.code or 0)


def test_a_run_gets_its_checked_config_and_a_folder_of_its_own(runs: list) -> None:
    assert outcome("fusion=weighted", "alpha=0.3", "modality.ct.encoder.frozen=true") == 0
    ((config, folder, overrides),) = runs
    assert config.fusion["alpha"]["ct"] == 0.3
    assert overrides == ["fusion=weighted", "alpha=0.3", "modality.ct.encoder.frozen=true"]
    assert folder.parent == Path("logs/runs")
    assert folder.name.endswith("_medical_weighted")
    assert folder.is_dir()


def test_two_runs_never_share_a_folder(runs: list) -> None:
    assert outcome() == outcome() == 0
    assert len({folder for _, folder, _ in runs}) == 2


def test_a_run_goes_where_the_user_says(runs: list) -> None:
    assert outcome("hydra.run.dir=my/place") == 0
    assert runs[0][1] == Path("my/place")
    assert not Path("logs").exists()


def test_a_folder_with_odd_characters(runs: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / "it's, a [test] = (ok)"
    odd.mkdir()
    monkeypatch.chdir(odd)
    assert outcome() == 0
    assert runs[0][1].parent == Path("logs/runs")
    assert (odd / runs[0][1] / "summary.json").is_file()


def test_a_wrong_setting_leaves_no_folder_and_no_stack_trace(runs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("seeed=1", "fusion=wieghted") == 2
    shown = capsys.readouterr().err
    assert shown.startswith("2 problems:\n  - fusion=wieghted: there is no such fusion.")
    assert "Traceback" not in shown
    assert "HYDRA_FULL_ERROR" not in shown
    assert not runs
    assert not Path("logs").exists()


def test_what_goes_wrong_in_training_ends_with_one(runs: list) -> None:
    assert outcome("name=broken") == 1


FLAGS = {
    "--epochs=3": "--epochs: settings are written without dashes: trainer.epochs=3",
    "--fusion=sum": "--fusion: no such flag.",
    "--multirum": '--multirum: no such flag. Did you mean "--multirun"?',
    "--config-name=x": "--config-name: not supported",
}


@pytest.mark.parametrize("flag", FLAGS)
def test_flags_that_do_not_exist(flag: str, runs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(flag) == 2
    assert FLAGS[flag] in capsys.readouterr().err


def test_flags_may_stand_anywhere(runs: list) -> None:
    assert outcome("seed=0,1", "-m", "fusion=sum") == 0
    assert [config.seed for config, _, _ in runs] == [0, 1]


def test_a_question_about_the_config_trains_nothing(runs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("--cfg", "job", "fusion=sum", "--package", "fusion") == 0
    assert "crossfade.fusion.elementwise.sum.Sum" in capsys.readouterr().out
    assert not runs


def test_resuming_takes_the_config_from_the_folder(runs: list, tmp_path: Path) -> None:
    config = compose("fusion=sum", "seed=7")
    folder = tmp_path / "old run"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(config.dump()), encoding="utf-8")
    (folder / "overrides.txt").touch()
    assert outcome(f"resume={folder}") == 0
    ((resumed, place, _),) = runs
    assert place == folder
    assert resumed == config.model_copy(update={"resume": str(folder)})


def test_a_finished_run_has_nothing_to_go_on_with(
    runs: list, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Status.of_this_process().ending("finished").save(run_folder / "status.json")
    (run_folder / "summary.json").write_text("{}", encoding="utf-8")
    assert outcome(f"resume={run_folder}") == 0
    assert f"{run_folder} is finished." in capsys.readouterr().out
    assert not runs


def test_resuming_changes_nothing(runs: list, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(f"resume={tmp_path}", "seed=1") == 2
    assert "nothing else can be set; here seed=1" in capsys.readouterr().err
    assert outcome(f"resume={tmp_path}") == 2
    assert "is not a run folder" in capsys.readouterr().err


def fake_module(monkeypatch: pytest.MonkeyPatch, name: str) -> list[tuple]:
    calls: list[tuple] = []
    module = types.ModuleType(f"crossfade.evaluation.{name}")
    setattr(module, name, lambda *arguments: calls.append(arguments))
    monkeypatch.setitem(sys.modules, f"crossfade.evaluation.{name}", module)
    return calls


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(compose().dump()), encoding="utf-8")
    (folder / "overrides.txt").touch()
    return folder


def test_evaluate(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_module(monkeypatch, "evaluate")
    assert run("evaluate", [f"run={run_folder}"]) == 0
    assert run("evaluate", [f"run={run_folder}", "checkpoint=last", "split=val"]) == 0
    assert calls == [(run_folder, "best", "test"), (run_folder, "last", "val")]


def test_predict(run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_module(monkeypatch, "predict")
    manifest = tmp_path / "new.csv"
    manifest.write_text("id\n1\n", encoding="utf-8")
    assert run("predict", [f"run={run_folder}", f"manifest={manifest}"]) == 0
    assert run("predict", [f"run={run_folder}", f"manifest={manifest}", f"output={tmp_path / 'p.parquet'}"]) == 0
    assert calls == [(run_folder, manifest, None), (run_folder, manifest, tmp_path / "p.parquet")]


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("evaluate", [], "run: missing. Give run=logs/runs/…."),
        ("evaluate", ["rn=x"], 'rn: unknown key. Did you mean "run"?'),
        ("evaluate", ["run=/no/run"], "run=/no/run: There is no run folder /no/run."),
        (
            "evaluate",
            ["run=/no/run", "split=tset"],
            'split=tset: must be one of train, val, test. Did you mean "test"?',
        ),
        ("evaluate", ["run=/no/run", "checkpoint=first"], "checkpoint=first: must be one of best, last."),
        ("evaluate", ["run=a", "run=b"], "run: given twice."),
        ("evaluate", ["logs"], "logs: arguments are written key=value."),
        ("predict", ["run=/no/run", "manifest=/no.csv"], "manifest=/no.csv: there is no such file."),
        ("predict", ["run=/no/run", "manifest=/no.csv", "output=x.txt"], "output=x.txt: must end in .csv or .parquet."),
    ],
)
def test_wrong_arguments(command: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, arguments) == 2
    assert message in capsys.readouterr().err


def test_help_names_every_group_option_and_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", ["--help"]) == 0
    shown = capsys.readouterr().out
    for group, options in groups().items():
        assert group in shown
        for option in options:
            assert option in shown
    for key in RunConfig.model_fields:
        assert key in shown


@pytest.mark.parametrize(("argument", "text"), [("--help", "Usage: crossfade"), ("--version", crossfade.__version__)])
def test_the_program_itself(
    argument: str, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["crossfade", argument])
    main()
    assert text in capsys.readouterr().out


def test_an_unknown_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["crossfade", "evalute"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert 'Did you mean "evaluate"?' in capsys.readouterr().err


QUICK = {
    "help": (["train.py", "--help"], 0),
    "a config error": (["train.py", "fusoin=sum", "seed=-1"], 2),
    "a sweep's config error": (["train.py", "-m", "fusion=wieghted,sum"], 2),
    "an evaluation's error": (["evaluate.py", "run=/no/run"], 2),
    "completion": (["train.py", "-sc", "query=bash"], 0),
}


@pytest.mark.parametrize("case", QUICK)
def test_answers_come_before_anything_heavy_is_imported(case: str) -> None:
    """Under a second on an idle machine; the bound here leaves room for a busy one."""
    (script, *arguments), code = QUICK[case]
    watch = (
        "import runpy, sys, atexit\n"
        f"atexit.register(lambda: print('HEAVY', [m for m in {HEAVY} if m in sys.modules]))\n"
        f"sys.argv = {[script, *arguments]!r}\n"
        f"runpy.run_path({str(ROOT / script)!r}, run_name='__main__')\n"
    )
    env = {**os.environ, "COMP_LINE": "python train.py fusion="}
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, env=env, check=False)
    seconds = time.perf_counter() - started
    assert done.returncode == code, done.stderr
    assert "HEAVY []" in done.stdout
    assert seconds < 5
    if case == "completion":
        assert "fusion=weighted" in done.stdout


def test_completion_of_the_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def answers(line: str) -> list[str]:
        monkeypatch.setenv("COMP_LINE", line)
        monkeypatch.setattr(sys, "argv", ["crossfade", "-sc", "query=bash"])
        main()
        return capsys.readouterr().out.split()

    assert answers("crossfade tr") == ["train"]
    assert answers("crossfade evaluate che") == ["checkpoint="]
    assert answers("crossfade train core=") == [f"core={option}" for option in groups()["core"]]


def test_the_scripts_name_what_hydras_completion_looks_for() -> None:
    assert "@hydra.main" in (ROOT / "train.py").read_text(encoding="utf-8")


def test_resume_needs_a_run(runs: list, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("resume=") == 2
    assert "resume=: say which run" in capsys.readouterr().err
    assert outcome("resume=null") == 0
    assert len(runs) == 1


def test_a_run_folder_of_the_users_that_cannot_be_made(
    runs: list, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert outcome(f"hydra.run.dir={tmp_path}/file/run") == 2
    assert "Cannot make the log folder" in capsys.readouterr().err
    assert outcome("-m", "seed=0,1", f"hydra.sweep.dir={tmp_path}/file/sweep") == 2
    assert not runs


@pytest.mark.parametrize("target", ["pipe", "/dev/full"])
def test_output_that_goes_away_does_not_end_the_program(target: str) -> None:
    code = (
        "import sys; from crossfade.screen import lasting_output\n"
        "with lasting_output():\n"
        "    for i in range(3): print(i, flush=True)\n"
        "print('alive', file=sys.stderr)"
    )
    if target == "pipe":
        read, write = os.pipe()
        os.close(read)
    else:
        write = os.open(target, os.O_WRONLY)
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.returncode == 0
    said = "" if target == "pipe" else "Nothing more is printed: No space left on device.\n"
    assert done.stderr == f"{said}alive\n"
