"""`search=random`: points drawn independently from the space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from crossfade.search.asked import Asked
from crossfade.search.ends import check_ends
from crossfade.search.importance import importance_of
from crossfade.search.space import read_space
from crossfade.search.trials import finish, trial_of
from crossfade.search.validation import Judge

if TYPE_CHECKING:
    from crossfade.sweeps.report.subject import Contents, Subject


class Random:
    """`trials` independent points (Bergstra & Bengio 2012, jmlr.org/papers/v13/bergstra12a); equal points run once.

    Point i depends on `seed` and i alone, so that a search with more trials goes on where one with fewer ended.
    """

    def __init__(self, trials: int = 20, seed: int = 0) -> None:
        self.trials, self.seed = trials, seed

    def __call__(self, asked: Asked) -> None:
        """Run the points, and rank them by validation. Raises UserError, before the first, for points with a fault."""
        space = read_space(asked.overrides)
        check_ends(space, asked.compose)
        plan = asked.planned(
            [space.draw(np.random.default_rng([self.seed, i])) for i in range(self.trials)], space.keys
        )
        judge = Judge.of(plan.jobs[0].config)
        print(f"Random points of {', '.join(space.keys)}: {plan.note}", flush=True)
        with asked.opened(plan.jobs[0].config, "random", space.keys, "trials", judge=judge) as sweep:
            entries = sweep.run(plan.jobs, read=judge.outcome)
            trials = [
                trial_of(number, job, entries[job.identity], sweep.place, judge, space)
                for number, job in enumerate(plan.jobs)
            ]
            finish(trials, sweep.place, judge, asked.part, importance_of(trials, space, judge))

    @staticmethod
    def page(subject: Subject, part: Mapping[str, Any]) -> Contents:
        """See `page.of_trials`."""
        from crossfade.search.page.of_trials import contents

        return contents(subject, part)
