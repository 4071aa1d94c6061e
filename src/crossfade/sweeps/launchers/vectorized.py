"""`hydra/launcher=vectorized`: jobs that differ only in numbers train as one stack; the others in processes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from crossfade.runs import RunFolder
from crossfade.runs.signals import interruption
from crossfade.screen import output_to
from crossfade.sweeps.course import Course, Due, Launcher
from crossfade.sweeps.ending import Ending

if TYPE_CHECKING:
    from crossfade.data.module import DataModule
    from crossfade.experiment import Shared
    from crossfade.stacked.train import Job


class Vectorized:
    """Stacks what `stacked.batchable` says can be and pays; `rest` runs what is left, and the course says why."""

    def __init__(self, rest: Launcher) -> None:
        self.rest = rest

    def __call__(self, jobs: Sequence[Due], course: Course) -> None:
        from crossfade.stacked.batchable import groups

        begun = [due for due in jobs if (RunFolder(due.folder).checkpoints / "last.ckpt").exists()]
        fresh = [due for due in jobs if due not in begun]
        alone, reasons = list(begun), Counter({"they go on from a checkpoint": len(begun)} if begun else {})
        for places in groups([due.config for due in fresh]):
            if course.stopped:
                return
            group = [fresh[place] for place in places]
            reason = _why_alone(group) or self._stack(group, course)
            if reason is not None:
                alone += group
                reasons[reason] += len(group)
        for reason, count in reasons.items():
            course.board.say(f"{count} job{'s' * (count > 1)} not stacked: {reason}")
        if alone and not course.stopped:
            self.rest(alone, course)

    def _stack(self, group: Sequence[Due], course: Course) -> str | None:
        """Train and score a group; or the reason why it can't be stacked, found before anything was trained."""
        from crossfade.experiment import Shared
        from crossfade.results.tracked import tell_failure
        from crossfade.stacked.stack import NotStackable
        from crossfade.stacked.train import train_stacked

        for due in group:
            course.start(due)
        try:
            with output_to(group[0].place / "stacked.log"):
                jobs = _jobs(group)
                outcomes = train_stacked(jobs)
        except NotStackable as error:
            for due in group:
                course.withdraw(due)
            return str(error)
        except BaseException as error:
            for due in group:
                course.end(due, Ending.of(error))
            if not isinstance(error, Exception) and interruption(error) is None:
                raise
            return None
        shared = Shared()
        for due, job, outcome in zip(group, jobs, outcomes, strict=True):
            if outcome.error is not None:
                tell_failure(due.config, job.folder)
                course.end(due, Ending("failed", outcome.error))
        for due, job, outcome in zip(group, jobs, outcomes, strict=True):
            if outcome.error is not None:
                continue
            if course.stopped:
                course.end(due, Ending("interrupted", course.stopped))
            else:
                since = time.monotonic()
                ending = _scored(due, job.data, outcome.seconds, shared)
                course.end(due, ending, outcome.seconds + time.monotonic() - since)
        return None


def _jobs(group: Sequence[Due]) -> list[Job]:
    """The jobs as a stack takes them; those of the same data share them."""
    from crossfade.build import build_data
    from crossfade.stacked.batchable import data_key
    from crossfade.stacked.train import Job

    prepared: dict[str, DataModule] = {}
    jobs = []
    for due in group:
        if (key := data_key(due.config)) not in prepared:
            prepared[key] = build_data(due.config)
            prepared[key].prepare()
        folder = RunFolder(due.folder)
        if not folder.config_file.exists():
            folder.write_start(due.config.dump(), due.job.given)
        jobs.append(Job(due.config, folder, prepared[key]))
    return jobs


def _scored(due: Due, data: DataModule, seconds: float, shared: Shared) -> Ending:
    from crossfade.experiment import finish_trained

    try:
        with output_to(due.folder / "output.log"):
            finish_trained(due.config, due.folder, data, seconds, due.job.given, shared)
    except BaseException as error:
        if not isinstance(error, Exception) and interruption(error) is None:
            raise
        return Ending.of(error)
    return Ending("finished")


def _why_alone(group: Sequence[Due]) -> str | None:
    """Why these jobs are not to be stacked, in words; None where they are."""
    from crossfade.stacked.batchable import FEWEST, WIDEST, why_not, worthwhile

    config = group[0].config
    if worthwhile(config, len(group)):
        return None
    if reason := why_not(config):
        return reason
    if config.width > WIDEST:
        return f"width={config.width} is more than {WIDEST}, where a stack loses"
    return f"fewer than {FEWEST} of a kind, where a stack loses"
