"""Launchers that are plugins of Hydra's (joblib, submitit, ray): they get all jobs at once, and say little."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus

from crossfade.config.overrides import quoted
from crossfade.runs import RunFolder
from crossfade.sweeps.course import Course, Due
from crossfade.sweeps.ending import Ending
from crossfade.sweeps.launchers.local import THREADS, cores_here, environment

POLL = 1.0  # seconds


class OfHydra:
    """Hands the jobs to a Hydra launcher, and tells the course what their folders say meanwhile.

    `launch` takes the settings of each job and the sweep's folder. `all_here`: it starts them all on this machine at
    once, as submitit does without a cluster; then the cores are shared out among them.
    """

    def __init__(
        self, launch: Callable[[Sequence[Sequence[str]], str], Sequence[JobReturn]], all_here: bool = False
    ) -> None:
        self.launch, self.all_here = launch, all_here

    def __call__(self, jobs: Sequence[Due], course: Course) -> None:
        if not jobs:
            return
        watch = _Watch(jobs, course)
        thread = threading.Thread(target=watch.follow, daemon=True)
        thread.start()
        results: Sequence[JobReturn] = []
        threads = max(1, cores_here() // min(len(jobs), cores_here()))
        try:
            with environment({name: str(threads) for name in THREADS} if self.all_here else {}):
                results = self.launch([settings_of(due) for due in jobs], str(jobs[0].place))
        finally:
            watch.over.set()
            thread.join()
            watch.close(results)


def settings_of(due: Due) -> list[str]:
    """The job's settings, with what makes it a part of its sweep."""
    kept = list(due.job.settings)
    if due.job.config.group is None:
        kept.append(f"++group={quoted(Path(due.place.name))}")
    if due.job.config.figures is None:
        kept.append("++figures=false")
    return [
        *kept,
        f"++singles_cache={quoted(due.place / 'singles')}",
        f"hydra.sweep.dir={quoted(due.place)}",
        f"hydra.sweep.subdir={quoted(Path(due.entry.name))}",
    ]


class _Watch:
    def __init__(self, jobs: Sequence[Due], course: Course) -> None:
        self.jobs, self.course = jobs, course
        self.over = threading.Event()
        self.begun: set[str] = set()
        self.ended: set[str] = set()

    def follow(self) -> None:
        """Look at the folders until `over`."""
        while not self.over.wait(POLL):
            for due in self.jobs:
                self._look(due)

    def close(self, results: Sequence[JobReturn]) -> None:
        """What the folders do not say, the launcher's answers do."""
        for place, due in enumerate(self.jobs):
            self._look(due)
            if due.entry.identity in self.ended:
                continue
            result = results[place] if place < len(results) else None
            if result is None and due.entry.identity not in self.begun:
                continue  # never begun
            self._begin(due)
            if result is not None and result.status is JobStatus.FAILED:
                self._end(due, Ending.of(result._return_value))  # the property would raise it
            else:
                self._end(due, Ending("interrupted", "the launcher ended without a word of it"))

    def _look(self, due: Due) -> None:
        run = RunFolder(due.folder)
        if due.entry.identity in self.ended or not run.status_file.exists():
            return
        status = run.status()
        if due.entry.identity not in self.begun and status.ended is not None and status.ended < self.course.began:
            return  # of an earlier attempt
        self._begin(due)
        if run.is_finished():
            self._end(due, Ending("finished"))
        elif status.state != "running":
            told = status.state in ("failed", "pruned")
            self._end(due, Ending(status.state if told else "interrupted", status.error))

    def _begin(self, due: Due) -> None:
        if due.entry.identity not in self.begun:
            self.begun.add(due.entry.identity)
            self.course.start(due)

    def _end(self, due: Due, ending: Ending) -> None:
        self.ended.add(due.entry.identity)
        self.course.end(due, ending)
