"""`hydra/launcher=basic`: one job after another in this process."""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.runs.signals import interruption
from crossfade.screen import output_to
from crossfade.sweeps.course import Course, Due
from crossfade.sweeps.ending import Ending


def in_process(jobs: Sequence[Due], course: Course) -> None:
    """Run the jobs here. What a job prints goes to output.log in its folder: the screen shows the whole sweep."""
    for due in jobs:
        if course.stopped:
            return
        course.start(due)
        try:
            run_here(due)
        except BaseException as error:
            ending = Ending.of(error)
            course.end(due, ending)
            if not isinstance(error, Exception) and interruption(error) is None:
                raise
        else:
            course.end(due, Ending("finished"))


def run_here(due: Due) -> None:
    """Train one job in this process."""
    from crossfade import experiment

    with output_to(due.folder / "output.log"):
        experiment.run(due.config, due.folder, due.job.given)
