"""The shares of the local launcher, and real sweeps in real processes that are really killed."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crossfade.cli import run as command
from crossfade.config import compose
from crossfade.errors import UserError
from crossfade.runs import RunFolder
from crossfade.sweeps.launchers.local import shares
from crossfade.sweeps.ledger import Ledger

CPU = compose()
DDP = compose("trainer=ddp", "trainer.devices=2")
GPU = compose("trainer.accelerator=gpu")
GPUS = compose("trainer.accelerator=gpu", "trainer.strategy=ddp", "trainer.devices=2")


@pytest.mark.parametrize(
    ("workers", "threads", "config", "cores", "gpus", "expected"),
    [
        (None, None, CPU, 8, 0, [(1, None)] * 8),
        (2, None, CPU, 8, 0, [(4, None)] * 2),
        (2, 3, CPU, 8, 0, [(3, None)] * 2),
        (3, None, CPU, 8, 0, [(2, None)] * 3),
        (None, None, CPU, 8, 4, [(1, None)] * 8),  # GPUs that nobody asks for
        (None, None, DDP, 8, 0, [(1, None)] * 4),
        (None, None, DDP, 1, 0, [(1, None)]),
        (None, None, GPU, 8, 4, [(2, [0]), (2, [1]), (2, [2]), (2, [3])]),
        (None, None, GPUS, 8, 4, [(2, [0, 1]), (2, [2, 3])]),
        (1, None, GPUS, 8, 4, [(4, [0, 1])]),
    ],
)
def test_no_core_and_no_gpu_belongs_to_two(
    workers: int | None, threads: int | None, config: object, cores: int, gpus: int, expected: list
) -> None:
    found = shares(workers, threads, config, cores, range(gpus))  # type: ignore[arg-type]
    assert [(share.threads, share.gpus) for share in found] == expected


@pytest.mark.parametrize(
    ("workers", "threads", "config", "gpus", "message"),
    [
        (9, None, CPU, 0, "workers=9 with 1 thread are more threads than the 8 cores"),
        (4, 4, CPU, 0, "workers=4 with 4 threads are more threads than the 8 cores"),
        (8, None, DDP, 0, "workers=8 with 1 thread in each of 2 processes are more"),
        (3, None, GPUS, 4, "workers=3: at 2 GPUs a job, 4 GPUs serve 2"),
        (None, None, GPUS, 1, "devices=2: a job asks for more GPUs than this machine has"),
    ],
)
def test_more_than_the_machine_has_is_refused(
    workers: int | None, threads: int | None, config: object, gpus: int, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        shares(workers, threads, config, 8, range(gpus))  # type: ignore[arg-type]


def test_numbers_of_workers_are_checked_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    with pytest.raises(SystemExit) as end:
        command("train", ["-m", "seed=0,1", "hydra/launcher=local", "hydra.launcher.workers=two"])
    assert end.value.code == 2
    assert "hydra.launcher.workers=two: must be a whole number from 1 on, or auto." in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


SMALL = ("width=8", "singles=false", "patterns=false", "trainer.progress=false", "hydra.sweep.dir=sweep")
SYNTHETIC = ("task=synthetic", "data.source.samples=120")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `crossfade train -m` in a process group of its own; what is left of it at the end is killed."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*settings: str) -> subprocess.Popen[str]:
        code = "from crossfade.cli import main; main()"
        task = [] if any(text.startswith("task=") for text in settings) else SYNTHETIC
        line = [sys.executable, "-c", code, "train", "-m", *task, *SMALL, *settings]
        log = (tmp_path / f"screen{len(begun)}.txt").open("w")
        process = subprocess.Popen(line, cwd=tmp_path, stdout=log, stderr=log, text=True, start_new_session=True)
        begun.append(process)
        return process

    yield begin
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def until(holds: Callable[[], bool], what: str, seconds: float = 120) -> None:
    since = time.monotonic()
    while not holds():
        assert time.monotonic() - since < seconds, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def epochs(folder: Path) -> list[int]:
    path = folder / "metrics.csv"
    if not path.exists():
        return []
    return [int(line.split(",")[0]) for line in path.read_text().splitlines()[1:] if line.split(",")[0].isdigit()]


def pid(folder: Path) -> int:
    return RunFolder(folder).status().pid


def alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.slow
def test_kills_lose_no_more_than_the_running_epoch(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    """A worker, then the parent are killed with −9; a second parent is refused; in the end each epoch is there once."""
    settings = ("seed=0,1,2", "trainer.epochs=150", "hydra/launcher=local", "hydra.launcher.workers=2")
    if (os.cpu_count() or 1) < 2:
        pytest.skip("two workers need two cores")
    place = tmp_path / "sweep"
    first = start(*settings)
    one, two, three = (place / f"0{i}_seed={i}" for i in range(3))
    until(lambda: min(len(epochs(one)), len(epochs(two))) > 3, "two jobs to train")

    second = start(*settings)
    assert second.wait(60) == 2
    assert "sweep is in use: another process is running its jobs" in (tmp_path / "screen1.txt").read_text()

    os.kill(pid(one), signal.SIGKILL)
    until(lambda: len(epochs(three)) > 3, "the third job in the killed one's place")
    screen = (tmp_path / "screen0.txt").read_text()
    assert "interrupted: 00_seed=0: its process was killed (SIGKILL" in screen
    left = [pid(two), pid(three)]
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not any(alive(number) for number in left), "the orphans to see it and to end", 30)

    third = start(*settings)
    assert third.wait(200) == 0, (tmp_path / "screen2.txt").read_text()
    ledger = Ledger.open(place)
    assert [entry.state for entry in ledger.entries()] == ["finished"] * 3
    assert [entry.attempts for entry in ledger.entries()] == [2, 2, 2]
    for folder in (one, two, three):
        table = pd.read_csv(folder / "metrics.csv").dropna(subset=["train/loss"])
        assert sorted(table["epoch"].unique()) == list(range(150))
        assert RunFolder(folder).summary()["metrics"]


def ranks(folder: Path) -> dict[int, list[str]]:
    """The processes of a distributed training in this folder, and their command lines."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            words = [os.fsdecode(word) for word in path.read_bytes().split(b"\0")]
            if "crossfade.rank" in words and Path(words[-2]) == folder:
                found[int(path.parent.name)] = words
    return found


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "local"])
def test_ddp_in_a_sweep_starts_no_second_sweep(
    launcher: str, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """Two processes a job; rank 1 knows the run's folder and no command line of a sweep."""
    settings = ("seed=0,1", "trainer.epochs=2", "trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu")
    own = ("hydra.launcher.workers=1",) if launcher == "local" else ()
    sweep = start(*settings, f"hydra/launcher={launcher}", *own)
    seen: list[list[str]] = []
    while sweep.poll() is None:
        words = [one for one in ranks(Path("sweep/00_seed=0")).values() if "torch.distributed.run" not in one]
        seen = max(seen, words, key=len)
        time.sleep(0.1)
    assert sweep.returncode == 0, (tmp_path / "screen0.txt").read_text()
    assert len(seen) == 2
    assert not any({"train", "seed=0,1"} & set(words) for words in seen)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["sweep"]
    folders = sorted(path.parent.name for path in (tmp_path / "sweep").glob("*/config.yaml"))
    assert folders == ["00_seed=0", "01_seed=1"]
    assert [entry.attempts for entry in Ledger.open(tmp_path / "sweep").entries()] == [1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ranks_end_with_their_run(
    number: signal.Signals, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """Else they would write to the folder that the resumed run writes to."""
    start("seed=0", "trainer.epochs=5000", "trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu")
    folder = tmp_path / "sweep" / "00"
    until(lambda: len(epochs(folder)) > 2, "the ranks to train")
    theirs = ranks(Path("sweep/00"))
    assert len(theirs) >= 2
    os.kill(pid(folder), number)
    until(lambda: not any(alive(one) for one in theirs), "the ranks to end", 20)


@pytest.mark.slow
def test_a_full_disk_keeps_no_worker_from_telling_its_end() -> None:
    """Its log lies on that disk too: with an exit code of Python's own it would be a failed job, and not taken up."""
    code = """
import os, sys
from crossfade.errors import Failure
from crossfade.sweeps.launchers.worker import _last_words
full = os.open("/dev/full", os.O_WRONLY)
os.dup2(full, 1)
os.dup2(full, 2)
sys.stdout = open(1, "w", closefd=False)  # what is printed waits, also under PYTHONUNBUFFERED
print("of the training")
_last_words(Failure("no room"))
sys.exit(74)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 74


PLUGIN = {"joblib": "joblib", "submitit_local": "submitit", "ray": "ray"}


def table(folder: Path, name: str, broken: bool = False) -> None:
    """Sixty samples of two numbers and what they tell; `broken` has a cell that is no number."""
    rng = np.random.default_rng(0)
    truth = np.arange(60) % 2
    numbers = {key: (truth + rng.normal(size=60)).round(3).astype(str) for key in ("a1", "b1")}
    if broken:
        numbers["a1"][7] = "?!"
    rows = pd.DataFrame({"id": [f"P{i}" for i in range(60)], **numbers, "outcome": np.where(truth, "yes", "no")})
    rows.to_csv(folder / f"{name}.csv", index=False)
    modalities = "{a: {kind: table, column: [a1]}, b: {kind: table, column: [b1]}}"
    targets = "{outcome: {kind: multiclass, column: outcome}}"
    (folder / f"{name}.yaml").write_text(f"id: id\nmodalities: {modalities}\ntargets: {targets}\n")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", list(PLUGIN))
def test_launchers_of_hydra_go_on_after_failed_jobs(
    launcher: str, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """Four jobs, of which two cannot read their data; that is mended, and the same command runs these two again."""
    pytest.importorskip(f"hydra_plugins.hydra_{PLUGIN[launcher]}_launcher")
    table(tmp_path, "one")
    table(tmp_path, "two", broken=True)
    settings = (
        *("task=custom", "data.manifest=one.csv,two.csv", "seed=0,1", "trainer.epochs=1", "optim.lr=0.001"),
        f"hydra/launcher={launcher}",
    )
    assert start(*settings).wait(240) == 1, (tmp_path / "screen0.txt").read_text()
    entries = Ledger.open(tmp_path / "sweep").entries()
    assert [(entry.state, entry.attempts) for entry in entries] == [*[("finished", 1)] * 2, *[("failed", 1)] * 2]
    assert all("?!" in str(entry.error) for entry in entries[2:])
    kept = (tmp_path / "sweep" / entries[0].name / "summary.json").read_bytes()

    table(tmp_path, "two")
    assert start(*settings, "retry=true").wait(240) == 0, (tmp_path / "screen1.txt").read_text()
    entries = Ledger.open(tmp_path / "sweep").entries()
    assert [entry.state for entry in entries] == ["finished"] * 4
    assert [entry.attempts for entry in entries] == [1, 1, 2, 2]
    assert (tmp_path / "sweep" / entries[0].name / "summary.json").read_bytes() == kept
    config = RunFolder(tmp_path / "sweep" / entries[3].name).run_config()
    assert (config.seed, config.group, config.figures) == (1, "sweep", False)
    assert "optim.lr=0.001" in RunFolder(tmp_path / "sweep" / entries[0].name).overrides()
    assert list((tmp_path / "sweep" / entries[0].name).glob("output.log"))
    assert (tmp_path / "sweep" / "report.html").is_file()


@pytest.mark.parametrize(
    ("launcher", "message"),
    [
        ("ray_aws", 'hydra/launcher=ray_aws: there is no such launcher here. Install it: pip install "crossfade[ray]"'),
        ("locla", 'hydra/launcher=locla: there is no such launcher here. Did you mean "local"? There are basic, local'),
    ],
)
def test_a_launcher_that_is_not_here_is_said_with_its_remedy(
    launcher: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    if launcher == "ray_aws" and importlib.util.find_spec("hydra_plugins.hydra_ray_launcher"):
        pytest.skip("it is installed")
    assert command("train", ["-m", "seed=0,1", f"hydra/launcher={launcher}"]) == 2
    assert message in capsys.readouterr().err
