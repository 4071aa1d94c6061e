"""The trials of one study, asked for and told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crossfade.errors import UserError
from crossfade.search.asked import Asked
from crossfade.search.cost import costs
from crossfade.search.space import Space
from crossfade.search.trials import Trial, write
from crossfade.search.validation import Judge
from crossfade.sweeps.ledger import Entry
from crossfade.sweeps.opened import Opened
from crossfade.sweeps.planning import Bases, Job
from crossfade.training.pruning import mark

if TYPE_CHECKING:
    import optuna

STATES = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "interrupted"}


class Bout:
    """A study and the sweep that runs its trials: each trial is a job, and equal trials are one job."""

    def __init__(
        self,
        study: optuna.Study,
        sweep: Opened,
        space: Space,
        asked: Asked,
        judge: Judge,
        objectives: Sequence[str],
        pruner: str,
    ) -> None:
        self.study, self.sweep, self.space, self.asked, self.judge = study, sweep, space, asked, judge
        self.objectives, self.pruner = list(objectives), pruner
        self.bases: Bases = {}

    def counted(self) -> int:
        """Trials that were begun, those apart whose points are to be tried again."""
        return sum(t.state.name in STATES for t in self._current())

    def _current(self) -> list[Any]:
        """All trials but those whose points were tried again."""
        frozen = self.study.get_trials(deepcopy=False)
        again = {t.user_attrs.get("again_of") for t in frozen}
        return [t for t in frozen if t.number not in again]

    def take_up(self, retry: bool, total: int) -> None:
        """Go on with the trials that a kill left running, from their last checkpoints; with `retry` enqueue the failed.

        A trial that was killed while it was asked for has no full point, and has failed.
        """
        import optuna

        begun = []
        for frozen in self._current():
            if frozen.state.name == "RUNNING":
                if set(frozen.params) == set(self.space.keys):
                    begun.append(optuna.trial.Trial(self.study, frozen._trial_id))
                else:
                    self._fail(optuna.trial.Trial(self.study, frozen._trial_id), "killed before it began")
            elif frozen.state.name == "FAIL" and retry:
                self.study.enqueue_trial(frozen.params, user_attrs={"again_of": frozen.number})
        if begun:
            print(f"Going on with interrupted trials: {', '.join(str(trial.number) for trial in begun)}", flush=True)
            self.run(begun, total)

    def run(self, trials: Sequence[optuna.Trial], total: int) -> None:
        """Run a batch, and tell the study of it. A point that is no valid run is a failed trial."""
        job_of: dict[int, Job] = {}
        for trial in trials:
            try:
                (job,) = self.asked.planned([self.space.point(trial.params)], self.space.keys, self.bases).jobs
            except UserError as error:
                self._fail(trial, str(error))
                continue
            if Judge.of(job.config) != self.judge:
                self._fail(
                    trial, f"its metric is {Judge.of(job.config).monitor}, which cannot be compared with the others'"
                )
                continue
            job_of[trial.number] = job
        jobs = list({job.identity: job for job in job_of.values()}.values())
        if not jobs:
            return
        rows = self.sweep.ledger.add(jobs)
        for trial in trials:
            if trial.number in job_of:
                job = job_of[trial.number]
                trial.set_user_attr("folder", rows[job.identity].name)
                trial.set_user_attr("given", self.space.typed(job.given))
                if self.pruner != "none" and rows[job.identity].state in ("waiting", "interrupted"):
                    place = self.sweep.place / rows[job.identity].name
                    mark(place, self.sweep.place / "optuna.db", self.study.study_name, trial.number, self.pruner)
        write(self.trials(), self.sweep.place, self.judge, self.asked.part)  # for who looks at a search that was killed
        entries = self.sweep.run(jobs, total, self.judge.outcome)
        for trial in trials:
            if trial.number in job_of:
                self._tell(trial, job_of[trial.number], entries[job_of[trial.number].identity])

    def _tell(self, trial: optuna.Trial, job: Job, entry: Entry) -> None:
        from optuna.trial import TrialState

        if entry.state == "finished":
            folder = self.sweep.place / entry.name
            value = self.judge.value(folder)
            if value is None:
                self._fail(trial, f"{self.judge.monitor} is not defined in any of its epochs")
                return
            values = {"metric": value, **costs(job.config, folder, self.objectives)}
            self.study.tell(trial, [values[name] for name in self.objectives])
        elif entry.state == "pruned":
            trial.set_user_attr("error", entry.error)
            self._without_value(trial, TrialState.PRUNED)
        elif entry.state == "failed":
            self._fail(trial, entry.error or "unknown error")
        else:
            trial.set_user_attr("error", entry.error or "not begun")  # goes on with the same command

    def _fail(self, trial: optuna.Trial, error: str) -> None:
        from optuna.trial import TrialState

        trial.set_user_attr("error", error)
        print(f"trial {trial.number} failed: {error.splitlines()[0]}", flush=True)
        self._without_value(trial, TrialState.FAIL)

    def _without_value(self, trial: optuna.Trial, state: Any) -> None:
        self.study.tell(trial, state=state)

    def trials(self) -> list[Trial]:
        """All that were begun, as they stand now."""
        found = []
        for t in self._current():
            if t.state.name not in STATES:
                continue
            values = dict(zip(self.objectives, t.values, strict=True)) if t.state.name == "COMPLETE" else {}
            name = t.user_attrs.get("folder")
            folder = self.sweep.place / name if name else None
            state, error = STATES[t.state.name], t.user_attrs.get("error")
            found.append(Trial(t.number, state, t.params, values, folder, error, t.user_attrs.get("given", ())))
        return found
