"""`hydra/launcher=local`: several jobs at a time on this machine, each in a fresh process with its share of it."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from crossfade.config import RunConfig
from crossfade.errors import UserError
from crossfade.runs import RunFolder
from crossfade.sweeps.course import Course, Due
from crossfade.sweeps.ending import DISK, FINISHED, INTERRUPTED, PRUNED, Ending
from crossfade.sweeps.launchers.killed import Killed

POLL = 0.5  # seconds
GRACE = 60.0  # seconds that a job has to save itself
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Share:
    """What one of the workers gets: CPU threads, and GPUs where there are any."""

    threads: int
    gpus: list[int] | None


def shares(workers: int | None, threads: int | None, config: RunConfig, cores: int, gpus: Sequence[int]) -> list[Share]:
    """One share a worker: no core and no GPU belongs to two of them.

    `workers` by itself is one a core, or one for each set of GPUs that a job asks for; `threads` the cores of a worker
    over the processes of its job. Raises UserError where more is asked for than there is.
    """
    ranks = _ranks(config)
    on_gpu = bool(gpus) and config.trainer.accelerator in ("gpu", "cuda", "auto")
    most = len(gpus) // ranks if on_gpu else max(1, cores // ranks)
    if on_gpu and not most:
        raise UserError(f"trainer.devices={ranks}: a job asks for more GPUs than this machine has ({len(gpus)}).")
    count = workers or most
    problems = []
    if on_gpu and count > most:
        problems.append(
            f"hydra.launcher.workers={count}: at {ranks} GPU{'s' * (ranks > 1)} a job, {len(gpus)} GPUs serve {most}."
        )
    each = threads or max(1, cores // (count * ranks))
    if each * ranks * count > max(cores, ranks):
        problems.append(
            f"hydra.launcher.workers={count} with {each} thread{'s' * (each > 1)}"
            f"{f' in each of {ranks} processes' if ranks > 1 else ''} are more threads than the {cores} cores that are "
            "here, and would wait for each other. Take fewer, or leave both to be chosen."
        )
    if problems:
        raise UserError(*problems)
    return [Share(each, list(gpus[i * ranks : (i + 1) * ranks]) if on_gpu else None) for i in range(count)]


def _ranks(config: RunConfig) -> int:
    """Processes of one job."""
    if config.trainer.strategy not in ("ddp", "fsdp") or config.trainer.devices == "auto":
        return 1
    return int(config.trainer.devices)


def cores_here() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus_here() -> list[int]:
    """The NVIDIA GPUs that this process may use, without loading torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [int(part) for part in visible.split(",") if part.strip().isdigit()]
    return list(range(len(list(Path("/proc/driver/nvidia/gpus").glob("*")))))


class LocalProcesses:
    """Keeps every worker's place filled until the jobs are out; `of_worker` are of `shares`."""

    def __init__(self, of_worker: Sequence[Share]) -> None:
        self.of_worker = of_worker

    def __call__(self, jobs: Sequence[Due], course: Course) -> None:
        course.board.workers = len(self.of_worker)
        free = list(reversed(self.of_worker))
        waiting = list(reversed(jobs))
        running: dict[BaseProcess, tuple[Due, Share]] = {}
        with environment({name: str(self.of_worker[0].threads) for name in THREADS}):
            context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
            if os.name == "posix":
                context.set_forkserver_preload(["crossfade.sweeps.launchers.worker"])
            killed, told = Killed(), False
            try:
                while running or (waiting and not course.stopped):
                    while free and waiting and not course.stopped:
                        due, share = waiting.pop(), free.pop()
                        running[_start(context, due, share, course)] = (due, share)
                    multiprocessing.connection.wait([process.sentinel for process in running], POLL)
                    killed.look()
                    for process in [p for p in running if not p.is_alive()]:
                        due, share = running.pop(process)
                        process.join()
                        course.end(due, _ending(due, process.exitcode, killed))
                        free.append(share)
                    if course.stopped and not told:
                        told = True
                        _terminate(running)
            except BaseException:
                if not told:
                    _terminate(running)
                for process, (due, _) in running.items():
                    process.join(GRACE)
                    course.end(due, _ending(due, process.exitcode, killed))
                raise


def _start(context: multiprocessing.context.BaseContext, due: Due, share: Share, course: Course) -> BaseProcess:
    from crossfade.sweeps.launchers.entry import enter

    course.start(due)
    arguments = (due.config.dump(), due.folder, due.job.given, share.threads, share.gpus)
    process = context.Process(target=enter, args=arguments, name=due.entry.name)  # type: ignore[attr-defined]
    process.start()
    return process


def _terminate(running: dict[BaseProcess, tuple[Due, Share]]) -> None:
    for process in running:
        if process.is_alive() and process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)


def _ending(due: Due, code: int | None, killed: Killed) -> Ending:
    """What a worker's exit code says, with the words that its run has left."""
    if code == FINISHED:
        return Ending("finished")
    run = RunFolder(due.folder)
    status = run.status() if run.status_file.exists() else None
    said = status.error if status is not None else None
    if code == DISK:
        told = said if status is not None and status.ended is not None else None  # the disk may not take that either
        return Ending("interrupted", told or "the disk takes no more", stops=True)
    if code == INTERRUPTED:
        return Ending("interrupted", said or "SIGTERM")
    if code == PRUNED:
        return Ending("pruned", said)
    if code is not None and code < 0:
        return Ending("interrupted", killed.why(-code))
    return Ending("failed", said or f"its process ended with {code} before the run began")


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """The fork server takes its environment, and so its numbers of threads, from here."""
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
