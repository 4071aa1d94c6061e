"""`search=optuna`: points proposed by Optuna's samplers, through its ask and tell."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crossfade.config import RunConfig
from crossfade.errors import UserError
from crossfade.search.asked import Asked
from crossfade.search.ends import check_ends
from crossfade.search.importance import distributions, importance_of
from crossfade.search.space import read_space
from crossfade.search.trials import finish
from crossfade.search.validation import Judge

if TYPE_CHECKING:
    from crossfade.sweeps.report.subject import Contents, Subject

FILE = "optuna.db"


class Optuna:
    """`trials` points, in batches of `parallel`: tpe (Bergstra et al. 2011), gp, random, or nsga2 (Deb et al. 2002).

    The study lies in optuna.db in the sweep's folder; the same command again goes on with it. What is compared is the
    best validation value of the monitored metric; with several `objectives` there is a Pareto front. Failed trials
    count, and `retry=true` proposes their points again.
    """

    def __init__(
        self,
        trials: int = 50,
        sampler: str = "tpe",
        pruner: str = "none",
        objectives: Sequence[str] = ("metric",),
        parallel: int | None = None,
        seed: int = 0,
    ) -> None:
        self.trials, self.sampler, self.pruner = trials, sampler, pruner
        self.objectives, self.parallel, self.seed = list(objectives), parallel, seed

    def __call__(self, asked: Asked) -> None:
        """Run the search. Raises UserError before the first trial for a space or a choice that cannot work."""
        from crossfade.search.bout import Bout
        from crossfade.sweeps.launchers.vectorized import Vectorized
        from crossfade.training.pruning import pruner_of, storage_of  # torch, which the page of a search does without

        optuna = installed()
        space = read_space(asked.overrides)
        check_ends(space, asked.compose)
        config = asked.planned(space.ends()[:1], space.keys).jobs[0].config
        self._check(config)
        judge = Judge.of(config)
        with asked.opened(config, "optuna", space.keys, "trials", "parallel", judge=judge) as sweep:
            if self.pruner != "none" and isinstance(sweep.launcher, Vectorized):
                raise UserError(f"search.pruner={self.pruner}: a stack trains its jobs to the end. Set it to none.")
            storage = storage_of(sweep.place / FILE)
            known = optuna.study.get_all_study_names(storage)
            before = len(optuna.load_study(study_name="search", storage=storage).trials) if known else 0
            study = optuna.create_study(
                study_name="search",
                storage=storage,
                load_if_exists=True,
                sampler=self._sampler(before),
                pruner=pruner_of(self.pruner),
                directions=[
                    ("maximize" if judge.direction == "max" else "minimize") if name == "metric" else "minimize"
                    for name in self.objectives
                ],
            )
            at_a_time = self.parallel or len(getattr(sweep.launcher, "of_worker", [None]))
            of = f"{', '.join(space.keys)}, {at_a_time} at a time"
            print(f"{self.trials} trials of {of}; {judge.monitor} ({judge.direction})", flush=True)
            bout = Bout(study, sweep, space, asked, judge, self.objectives, self.pruner)
            bout.take_up(config.retry, self.trials)
            while not sweep.stopped and (rest := self.trials - bout.counted()) > 0:
                bout.run([study.ask(distributions(space)) for _ in range(min(at_a_time, rest))], self.trials)
            trials = bout.trials()
            finish(trials, sweep.place, judge, asked.part, importance_of(trials, space, judge))

    @staticmethod
    def page(subject: Subject, part: Mapping[str, Any]) -> Contents:
        """See `page.of_trials`."""
        from crossfade.search.page.of_trials import contents

        return contents(subject, part)

    def _check(self, config: RunConfig) -> None:
        problems = []
        if "metric" not in self.objectives:
            problems.append(f"search.objectives={self.objectives}: the cheapest model would be the best. Add metric.")
        if self.pruner != "none":
            why = None
            if len(self.objectives) > 1:
                why = "a trial with several objectives is not comparable half-way"
            elif config.folds is not None and config.data.fold is None:
                why = f"with folds={config.folds} a trial is several trainings"
            elif config.trainer.strategy in ("ddp", "fsdp"):
                why = f"with trainer.strategy={config.trainer.strategy} a trial is several processes"
            if why:
                problems.append(f"search.pruner={self.pruner}: {why}. Set search.pruner=none.")
        if problems:
            raise UserError(*problems)

    def _sampler(self, before: int) -> Any:
        """Anew seeded where a search goes on: it would draw its first points once more."""
        import optuna

        seed = self.seed + before
        samplers = optuna.samplers
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if self.sampler == "gp":
                return samplers.GPSampler(seed=seed)
            if self.sampler == "random":
                return samplers.RandomSampler(seed=seed)
            if self.sampler == "nsga2":  # a few generations at least
                return samplers.NSGAIISampler(seed=seed, population_size=min(50, max(4, self.trials // 5)))
            return samplers.TPESampler(seed=seed, constant_liar=True)  # trials of one batch differ


def installed() -> Any:
    """The package, with its own log off. Raises UserError where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise UserError(
            'search=optuna: needs Optuna: pip install "crossfade[search]" (search=random needs nothing).'
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
