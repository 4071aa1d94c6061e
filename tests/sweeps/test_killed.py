"""Workers that are really killed, or really refused memory, and what is said of them."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from crossfade.errors import Failure
from crossfade.runs import RunFolder
from crossfade.runs.memory import MACHINE, Counter, memory_fault
from crossfade.runs.status import Status
from crossfade.sweeps.ending import Ending
from crossfade.sweeps.launchers.killed import Killed
from crossfade.sweeps.ledger import Ledger

GB = 2**30
V1 = "7:pids:/other\n4:cpu,memory:/of/mine\n0::/unified\n"
MOUNTS_V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw shared:9 - tmpfs tmpfs rw,mode=755\n"
    "35 31 0:32 {root} {point}/memory rw,relatime shared:11 - cgroup cgroup rw,cpu,memory\n"
    "36 31 0:33 / {point}/pids rw,relatime - cgroup cgroup rw,pids\n"
)
MOUNTS_V2 = "41 31 0:38 {root} {point} rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"


def count(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"low 0\noom 7\noom_kill {number}\noom_group_kill 0\n")


@pytest.mark.parametrize(
    ("cgroup", "mounts", "root", "file", "shared"),
    [
        (V1, MOUNTS_V1, "/", "memory/of/mine/memory.oom_control", False),
        (V1, MOUNTS_V1, "/of", "memory/mine/memory.oom_control", False),
        (V1, MOUNTS_V1, "/docker/1234", "memory/memory.oom_control", False),
        ("4:memory:/\n0::/\n", MOUNTS_V1, "/", "memory/memory.oom_control", True),
        ("0::/user.slice/a:b\n", MOUNTS_V2, "/", "user.slice/a:b/memory.events", False),
        ("0::/\n", MOUNTS_V2, "/", "memory.events", False),
    ],
)
def test_the_count_is_that_of_the_processs_own_group(
    cgroup: str, mounts: str, root: str, file: str, shared: bool, tmp_path: Path
) -> None:
    (tmp_path / "cgroup").write_text(cgroup)
    (tmp_path / "mountinfo").write_text(mounts.format(root=root, point=tmp_path / "fs"))
    count(tmp_path / "fs" / file, 3)
    found = Counter.nearest(tmp_path / "cgroup", tmp_path / "mountinfo")
    assert found == Counter(tmp_path / "fs" / file, shared)
    assert found.read() == 3


def test_without_a_count_of_its_own_it_is_the_machines(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("4:memory:/mine\n0::/mine\n")
    (tmp_path / "mountinfo").write_text(MOUNTS_V1.format(root="/", point=tmp_path))
    (tmp_path / "memory" / "mine").mkdir(parents=True)
    (tmp_path / "memory" / "mine" / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\n")  # old kernels
    assert Counter.nearest(tmp_path / "cgroup", tmp_path / "mountinfo") == Counter(MACHINE, True)
    assert Counter.nearest(tmp_path / "none", tmp_path / "mountinfo") == Counter(MACHINE, True)


def killed(with_signal: signal.Signals) -> int:
    """A real process that a signal ends; the signal by its exit code."""
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    process.start()
    assert process.pid is not None
    os.kill(process.pid, with_signal)
    process.join()
    assert process.exitcode is not None
    return -process.exitcode


def test_a_kill_is_one_for_memory_where_the_count_has_risen_just_before(tmp_path: Path) -> None:
    path = tmp_path / "memory.events"
    count(path, 2)
    kills = Killed(Counter(path, False))
    assert kills.why(killed(signal.SIGKILL)) == "its process was killed (SIGKILL; the system counts no kill for memory)"
    count(path, 3)
    number = killed(signal.SIGKILL)
    kills.look()
    for _ in range(2):  # two that were killed at once
        assert kills.why(number).startswith("its process was killed by the system: out of memory. Take smaller batches")
    assert kills.why(killed(signal.SIGTERM)) == "its process was killed (SIGTERM)"


def test_a_kill_for_memory_long_ago_says_nothing_of_one_of_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "memory.events"
    count(path, 0)
    kills = Killed(Counter(path, False))
    count(path, 1)
    kills.look()
    monkeypatch.setattr("crossfade.sweeps.launchers.killed.RECENT", 0.2)
    time.sleep(0.3)
    assert "counts no kill for memory" in kills.why(signal.SIGKILL)


def test_the_count_of_the_whole_machine_is_no_certainty(tmp_path: Path) -> None:
    path = tmp_path / "vmstat"
    count(path, 5)
    kills = Killed(Counter(path, True))
    count(path, 6)
    assert "perhaps for memory: just then the system killed something on this machine" in kills.why(signal.SIGKILL)
    assert "perhaps by the system for memory" in Killed(Counter(tmp_path / "none", True)).why(signal.SIGKILL)


def test_who_comes_later_is_told_what_the_machine_has_counted_since(tmp_path: Path) -> None:
    """The whole tree is gone, and nobody saw it go."""
    now = Counter(MACHINE, True).read()
    if now is None:
        pytest.skip("no /proc/vmstat that counts")
    path = tmp_path / "status.json"
    gone = replace(Status.of_this_process(), process=Status.of_this_process().process + "0")
    assert gone.kills == now
    gone.save(path)
    assert Status.load(path).error == "the process ended without a word (killed?)"
    replace(gone, kills=now - 2).save(path)
    said = Status.load(path)
    assert said.state == "interrupted"
    assert "Since it began this machine has killed 2 processes for memory" in said.error
    assert "If it was one of them: take smaller batches" in said.error
    replace(gone, kills=now - 2, process="another-boot:1").save(path)
    assert Status.load(path).error == "the process ended without a word (killed?)"


def refused_by_python() -> None:
    bytearray(2**62)


def refused_by_numpy() -> None:
    np.ones(2**50)


def refused_by_torch() -> None:
    torch.ones(2**46)


def refused_by_the_system() -> None:
    mmap.mmap(-1, 2**62)


REFUSED = [refused_by_python, refused_by_numpy, refused_by_torch, refused_by_the_system]


@pytest.mark.parametrize("ask", REFUSED)
def test_what_asks_for_too_much_is_named_with_the_remedy(ask: Callable[[], None], tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)

    def run() -> None:
        with folder.running():
            try:
                ask()
            finally:
                raise KeyError("what comes of it elsewhere")

    with pytest.raises(Failure, match=r"out of memory .*\. Take smaller batches .* resume=") as failed:
        run()
    status = folder.status()
    assert (status.state, failed.value.code) == ("failed", 1)
    assert status.error.startswith("out of memory (")
    assert "hydra.launcher.workers" in status.error
    assert "Traceback" in folder.log_file.read_text()
    with pytest.raises(Exception) as raised:  # noqa: PT011
        ask()
    assert Ending.of(raised.value).error == status.error
    assert Ending.of(raised.value).state == "failed"


def test_the_errors_of_a_gpu_are_known() -> None:
    assert memory_fault(torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore"))
    assert memory_fault(RuntimeError("CUDA error: out of memory"))
    assert not memory_fault(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not memory_fault(FileNotFoundError(2, "No such file"))


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group within this process's own that may take 1.5 GB of memory."""
    own = Counter.nearest().path
    if own == MACHINE:
        pytest.skip("this process is in no control group that counts kills for memory")
    place = own.parent / f"crossfade-{os.getpid()}"
    values = dict.fromkeys(["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"], 3 * GB // 2)
    if own.name == "memory.events":
        values = {"memory.max": 3 * GB // 2, "memory.swap.max": 0}
    try:
        place.mkdir()
        for name, value in values.items():
            if name in ("memory.limit_in_bytes", "memory.max") or (place / name).exists():
                (place / name).write_text(str(value))
    except OSError as error:
        if place.exists():
            place.rmdir()
        pytest.skip(f"no control group can be made in {own.parent}: {error}")
    yield place
    procs = place / "cgroup.procs"
    since = time.monotonic()
    while procs.read_text() and time.monotonic() - since < 30:
        time.sleep(0.1)
    place.rmdir()


def sweep(folder: Path, width: int, prepare: Callable[[], object]) -> str:
    """What a sweep of a small job and one of this width shows, in processes that `prepare` has set up."""
    line = [
        *(sys.executable, "-c", "from crossfade.cli import main; main()", "train", "-m", f"width=8,{width}"),
        *("task=synthetic", "core=transformer", "data.source.samples=60", "singles=false", "patterns=false"),
        *("trainer.epochs=1", "trainer.progress=false", "hydra.sweep.dir=x"),
        *("hydra/launcher=local", "hydra.launcher.workers=1"),
    ]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=300, preexec_fn=prepare)
    assert done.returncode == 1, done.stdout + done.stderr
    assert Ledger.open(folder / "x").entries()[0].state == "finished", done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_worker_that_the_kernel_kills_for_memory(group: Path, tmp_path: Path) -> None:
    """Its weights are larger than the group's limit: the kernel kills it, and the sweep goes on."""
    shown = sweep(tmp_path, 16384, lambda: (group / "cgroup.procs").write_text(str(os.getpid())))
    entry = Ledger.open(tmp_path / "x").entries()[1]
    assert entry.state == "interrupted"
    assert entry.error.startswith("its process was killed by the system: out of memory. Take smaller batches")
    assert "interrupted: 01_width=16384: its process was killed by the system: out of memory" in " ".join(shown.split())


@pytest.mark.slow
def test_a_worker_that_is_refused_memory(tmp_path: Path) -> None:
    """It may have an address space of 12 GB, and asks for more at once."""
    sweep(tmp_path, 65536, lambda: resource.setrlimit(resource.RLIMIT_AS, (12 * GB, 12 * GB)))
    entry = Ledger.open(tmp_path / "x").entries()[1]
    assert entry.state == "failed"
    assert "out of memory (RuntimeError: " in entry.error
    assert "Take smaller batches (data.batch_size), in a sweep fewer workers" in entry.error
