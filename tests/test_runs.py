"""Run folders: never shared, whole after a kill, and clear about what is wrong."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crossfade.errors import Failure, UserError
from crossfade.runs import RunFolder, Status, create, files, new_folder, usable, write_json, write_text
from crossfade.runs.find import is_run
from crossfade.runs.log import logging_to
from crossfade.runs.process import process_start
from crossfade.runs.signals import Terminated, interruption


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = new_folder(tmp_path / "logs", "medical")
    write_text(folder.config_file, "alpha: 0.3\n")
    write_text(folder.overrides_file, "alpha=0.3\n")
    return folder


# making


def test_runs_of_the_same_second_never_share_a_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: new_folder(tmp_path, "x").path, range(24)))
    assert len(set(folders)) == 24
    assert all(folder.is_dir() and not any(folder.iterdir()) for folder in folders)


def test_name_has_time_and_is_safe(tmp_path: Path) -> None:
    path = new_folder(tmp_path, "medical/covid x:α=0.3").path
    assert path.parent == tmp_path
    date, clock, name = path.name.split("_", 2)
    time.strptime(f"{date} {clock}", "%Y-%m-%d %H-%M-%S")
    assert name == "medical-covid-x-α=0.3"
    assert len(new_folder(tmp_path, "n" * 400).path.name) < 130
    assert new_folder(tmp_path, "../..").path.parent == tmp_path


def test_log_folder_under_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"Cannot make the log folder .*file/logs.*hydra\.run\.dir="):
        new_folder(tmp_path / "file" / "logs", "x")


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = create.shutil.disk_usage(tmp_path)._replace(free=49 * 2**20)
    monkeypatch.setattr(create.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"full: 49 MB are free.*at least 50 MB.*hydra\.run\.dir="):
        new_folder(tmp_path, "x")


def test_quota_is_found_by_writing_and_leaves_nothing(tmp_path: Path) -> None:
    # a limit on the size of files stands for a quota: the folder can be made, the probe cannot be written
    code = (
        "import resource, sys; from pathlib import Path; from crossfade.runs import new_folder\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: new_folder(Path(sys.argv[1]), 'x')\n"
        "except Exception as e: print(type(e).__name__, e)"
    )
    out = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True).stdout
    assert out.startswith(f"UserError Cannot write to the log folder {tmp_path}: File too large")
    assert list(tmp_path.iterdir()) == []


def test_import_needs_neither_torch_nor_pandas() -> None:
    code = "import sys, crossfade.runs; print({'torch', 'pandas', 'matplotlib'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


# writing


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "summary.json"
    write_json(path, {"a": 1})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]


def test_json_is_standard_json(run: RunFolder) -> None:
    run.write_summary(
        {"x": np.float64(0.1), "n": np.int64(3), "v": np.array([1.5, np.nan]), "i": math.inf, "p": Path("a")}
    )
    assert "NaN" not in run.summary_file.read_text()
    assert run.summary() == {"x": 0.1, "n": 3, "v": [1.5, None], "i": None, "p": "a"}


def test_start_is_recorded(run: RunFolder) -> None:
    run.write_start({"alpha": 0.3, "task": {"name": "medical"}}, ["alpha=0.3"])
    assert run.config() == {"alpha": 0.3, "task": {"name": "medical"}}
    assert run.overrides() == ["alpha=0.3"]
    environment = json.loads(run.environment_file.read_text())
    assert environment["command"] == sys.argv
    assert environment["packages"]["numpy"] == np.__version__
    assert environment["started"].endswith("+00:00")
    assert environment["cpu"]["usable"] >= 1
    assert len(environment["git"]["commit"]) == 40


@pytest.mark.parametrize("kept", range(5))
def test_a_start_that_is_cut_off_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """After whichever file the kill or the full disk came: where config.yaml is, all of it is."""
    written: list[Path] = []

    def cut_off(path: Path, content: bytes) -> None:
        if len(written) == kept:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        real(path, content)

    real = files.write_bytes
    monkeypatch.setattr(files, "write_bytes", cut_off)
    monkeypatch.setattr("crossfade.runs.folder.git_diff", lambda: "a diff")
    run = RunFolder(tmp_path)
    with suppress(OSError):
        run.write_start({"alpha": 0.3}, ["alpha=0.3"])
    whole = all(path.exists() for path in (run.overrides_file, run.environment_file, run.diff_file))
    assert run.config_file.exists() == is_run(tmp_path) == (kept >= 4)
    assert whole or not run.config_file.exists()


def test_git_state_and_diff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from crossfade.runs import environment

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x", *arguments], cwd=tmp_path, check=True)

    monkeypatch.setattr(environment, "_repository", lambda: tmp_path)
    git("init", "-qb", "trunk")
    (tmp_path / "a.txt").write_text("one\n")
    git("add", "a.txt")
    git("commit", "-qm", "x")
    state = environment.git_state()
    assert state is not None
    assert (state["branch"], state["dirty"], state["untracked"]) == ("trunk", False, [])
    assert environment.git_diff() == ""
    (tmp_path / "a.txt").write_text("two \n")
    (tmp_path / "new.txt").write_text("")
    state = environment.git_state()
    assert state is not None
    assert (state["dirty"], state["untracked"]) == (True, ["new.txt"])
    assert environment.git_diff().endswith("-one\n+two \n")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_predictions_come_back_to_the_last_digit(run: RunFolder, kind) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": ["007", "1e3", "a,b"] * 100, "predicted": ["NA", "x", "None"] * 100})
    table["p"] = rng.random(300) * 10.0 ** rng.integers(-20, 20, 300)
    table["q"] = table["p"].where(rng.random(300) < 0.5)
    table["f"] = rng.random(300).astype(np.float32)
    run.write_predictions("test", table, kind)
    back = run.predictions("test")
    assert back["id"].tolist() == table["id"].tolist()
    assert back["predicted"].tolist() == table["predicted"].tolist()
    np.testing.assert_array_equal(back["p"], table["p"])
    np.testing.assert_array_equal(back["q"], table["q"])
    np.testing.assert_array_equal(back["f"].astype(np.float32), table["f"])


def test_numbers_that_are_names_are_not_read_as_numbers(run: RunFolder) -> None:
    table = pd.DataFrame({"id": ["01", "2"], "group": ["1", "02"], "d.truth": ["1", None], "d.predicted": ["0", "1"]})
    table = table.assign(**{"d.p(0)": [0.5, 0.25], "d.p(1)": [0.5, 0.75], "dose.truth": [1.0, np.nan]})
    run.write_predictions("test", table)
    back = run.predictions("test")
    assert back.iloc[0].tolist() == ["01", "1", "1", "0", 0.5, 0.5, 1.0]
    assert back["d.truth"].isna().tolist() == back["dose.truth"].isna().tolist() == [False, True]
    assert back["d.predicted"].tolist() == ["0", "1"]


# opening


def test_open_names_the_nearest_run(run: RunFolder) -> None:
    assert RunFolder.open(str(run.path)) == run
    wrong = run.path.parent / (run.path.name[:-1] + "k")
    with pytest.raises(
        UserError, match=rf'no run folder .* Did you mean "{run.path.name}"\? The only one: .*{run.path}'
    ):
        RunFolder.open(wrong)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("logs", "folder of 1 run, and not one run. The only one: {run}"),
        ("{run}/config.yaml", "is a file, and not a run folder. Give the folder that it lies in: {run}"),
        ("{run}/figures", "inside a run. Give the run folder: {run}"),
        ("empty", "no config.yaml"),
        ("none/at/all", "No runs were found in"),
    ],
)
def test_open_refuses_what_is_no_run(run: RunFolder, where: str, message: str) -> None:
    root = run.path.parent.parent
    run.figures.mkdir()
    (root / "empty").mkdir()
    with pytest.raises(UserError) as error:
        RunFolder.open(root / where.format(run=run.path))
    assert message.format(run=run.path) in str(error.value)


def test_open_lists_the_newest_runs_of_a_sweep_first(tmp_path: Path) -> None:
    for i in range(7):
        write_text(tmp_path / "sweep" / f"job{i}" / "config.yaml", "{}")
        write_text(tmp_path / "sweep" / f"job{i}" / "overrides.txt", "")
        os.utime(tmp_path / "sweep" / f"job{i}" / "config.yaml", (i, i))
    with pytest.raises(UserError, match=r"folder of 7 runs.*job6, .*job5, .*job4, .*job3, .*job2, …$"):
        RunFolder.open(tmp_path / "sweep")


# status


def test_finished(run: RunFolder) -> None:
    with run.running():
        assert run.status().state == "running"
        assert run.status().pid == os.getpid()
    status = run.status()
    assert (status.state, status.error) == ("finished", None)
    assert status.ended is not None
    assert status.ended >= status.started


@pytest.mark.parametrize(
    ("error", "state", "text"),
    [
        (ValueError("loss is NaN"), "failed", "ValueError: loss is NaN"),
        (UserError("no file x"), "failed", "UserError: no file x"),
        (KeyboardInterrupt(), "interrupted", "Ctrl-C"),
        (SystemExit(3), "failed", "SystemExit: 3"),
        (SystemExit(0), "finished", None),
    ],
)
def test_how_a_run_ends(run: RunFolder, error: BaseException, state: str, text: str | None) -> None:
    with pytest.raises(type(error)), run.running():
        raise error
    assert (run.status().state, run.status().error) == (state, text)
    assert ("Traceback" in run.log_file.read_text()) == (state == "failed")


def test_lightning_hides_ctrl_c_behind_system_exit(run: RunFolder) -> None:
    def lightning() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)

    with pytest.raises(SystemExit), run.running():
        lightning()
    assert run.status().state == "interrupted"


def test_sigterm_interrupts_once_and_the_handler_goes_back(run: RunFolder) -> None:
    before = signal.getsignal(signal.SIGTERM)
    cleaned = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # an impatient second one
            time.sleep(0.01)
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt), run.running():
        work()
    assert cleaned
    assert (run.status().state, run.status().error) == ("interrupted", "SIGTERM")
    assert signal.getsignal(signal.SIGTERM) is before


HOLD = """
import sys, time
from crossfade.runs import RunFolder
from pathlib import Path
with RunFolder(Path(sys.argv[1])).running():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_and_a_killed_one_reads_as_interrupted(run: RunFolder) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(run.path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    with other:
        assert other.stdout.readline() == "held\n"
        assert run.status().state == "running"
        with pytest.raises(UserError, match="in use"), run.running():
            pass
        assert run.status().pid == other.pid  # the refused one changed nothing
        other.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 5
        while run.status().state == "running" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert run.status().state == "interrupted"  # though nobody has waited for the zombie yet
    (run.path / ".metrics.csv.123.tmp").write_text("half")
    with run.running():  # and its lock is gone
        assert not list(run.path.glob("*.tmp"))


def test_the_same_process_is_refused_too(run: RunFolder) -> None:
    with run.running():
        with pytest.raises(UserError, match="in use"), run.running():
            pass
        assert run.status().state == "running"
    with run.running():
        pass


def test_a_process_id_used_again_is_not_mistaken_for_the_run(run: RunFolder) -> None:
    status = Status.of_this_process()
    status.save(run.status_file)
    assert run.status().state == "running"
    replace(status, process="an earlier process").save(run.status_file)
    assert run.status().state == "interrupted"
    replace(status, process="an earlier process", host="elsewhere").save(run.status_file)
    assert run.status().state == "running"  # nobody can know


def test_process_start_is_stable_and_none_for_the_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert process_start(child.pid) is None
    assert process_start(os.getpid()) == process_start(os.getpid()) is not None
    assert process_start(os.getpid()) != process_start(1)  # the machine's first


# log


def test_log_has_logging_and_warnings_of_the_run_only(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    with run.running():
        logging.getLogger("crossfade.data").info("2000 patients")
        logging.getLogger("pytorch_lightning.utilities.rank_zero").warning("the loss is not logged")
        logging.getLogger("somebody.else").warning("not ours")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("odd value", stacklevel=1)
    logging.getLogger("crossfade.data").warning("after the run")
    text = run.log_file.read_text()
    assert "INFO crossfade.data: 2000 patients" in text
    assert "the loss is not logged" in text
    assert "UserWarning: odd value" in text
    assert "not ours" not in text
    assert "after the run" not in text
    assert logging.getLogger("crossfade").handlers == []


def test_log_is_continued_on_resume(run: RunFolder) -> None:
    for word in ("first", "second"):
        with run.running():
            logging.getLogger("crossfade").info(word)
    assert [line.split()[-1] for line in run.log_file.read_text().splitlines()] == ["first", "second"]


def test_warnings_stay_on_the_screen_and_information_does_not(run: RunFolder) -> None:
    code = (
        "import logging, sys; from pathlib import Path; from crossfade.runs import RunFolder\n"
        "inner = RunFolder(Path(sys.argv[1]) / 'singles'); inner.path.mkdir()\n"
        "with RunFolder(Path(sys.argv[1])).running(), inner.running():\n"
        "    logging.getLogger('crossfade').info('2000 patients')\n"
        "    logging.getLogger('crossfade').warning('logger off')\n"
    )
    shown = subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True, text=True)
    assert (shown.stdout, shown.stderr) == ("", "logger off\n")
    for log in (run.log_file, run.path / "singles" / "run.log"):
        assert [line.split(": ")[-1] for line in log.read_text().splitlines()] == ["2000 patients", "logger off"]


# what a clumsy hand, or a full disk, leaves


def test_a_folder_of_config_groups_is_no_run(tmp_path: Path) -> None:
    write_text(tmp_path / "conf" / "config.yaml", "defaults: []")
    with pytest.raises(UserError, match=r"is not a run folder.*No runs were found"):
        RunFolder.open(tmp_path / "conf")


@pytest.mark.parametrize(
    ("content", "words"), [("a: [1", "not readable as YAML"), ("", "no config"), ("widht: 1", "So it stands in")]
)
def test_a_damaged_config_is_said_with_its_file(run: RunFolder, content: str, words: str) -> None:
    write_text(run.config_file, content)
    with pytest.raises(UserError, match=words) as error:
        run.run_config()
    assert str(run.config_file) in str(error.value)


def test_what_was_learned_is_missing_damaged_or_in_the_folds(run: RunFolder) -> None:
    with pytest.raises(UserError, match="ended before its data were read"):
        run.fitted()
    write_text(run.preprocessing_file, '{"x"')
    with pytest.raises(UserError, match="not readable as JSON"):
        run.fitted()
    run.preprocessing_file.unlink()
    write_text(run.path / "fold_0" / "config.yaml", "")
    with pytest.raises(UserError, match=r"is a cross-validation. Give one of its folds: .*fold_0\."):
        run.fitted()


def test_a_full_disk_ends_the_run_in_words(run: RunFolder) -> None:
    with pytest.raises(Failure, match=r"No space left on device.*resume=") as error, run.running():
        raise RuntimeError("unexpected pos") from OSError(errno.ENOSPC, "No space left on device")
    assert error.value.code == 1
    assert (run.status().state, run.status().error) == ("failed", "No space left on device")


def test_the_cause_of_an_interruption_is_kept_through_lightnings_exit() -> None:
    end = SystemExit(1)  # Lightning's answer to any KeyboardInterrupt
    end.__context__ = Terminated("SIGTERM")
    ours = KeyboardInterrupt()  # and ours to Lightning's
    ours.__cause__ = end
    assert interruption(ours) == "SIGTERM"
    end.__context__ = KeyboardInterrupt()
    assert interruption(ours) == "Ctrl-C"


def test_a_folder_that_the_user_names_is_tried_too(tmp_path: Path) -> None:
    usable(tmp_path / "new" / "run")
    assert list((tmp_path / "new" / "run").iterdir()) == []
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(UserError, match="Cannot make the log folder"):
            usable(place)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_log_on_a_full_disk_raises_and_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to(Path("/dev/full")):
        logging.getLogger("crossfade").info("lost")
    assert "Logging error" not in capsys.readouterr().err
