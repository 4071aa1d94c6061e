"""The trials of a search as its folder tells them, finished or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from crossfade.config.overrides import parse
from crossfade.runs.files import read_json
from crossfade.search.importance import importance_of
from crossfade.search.space import Space, read_space
from crossfade.search.trials import Trial, front_of
from crossfade.search.validation import Judge
from crossfade.sweeps.jobs import Job, remembered, sweep_settings
from crossfade.sweeps.report.subject import Subject

FENCE = 3.0  # interquartile ranges from the quartiles; what lies further out is drawn at the edge


@dataclass(frozen=True)
class Found:
    """The trials that were begun; `last` are the best validation values of those that were stopped on the way."""

    trials: list[Trial]
    last: Mapping[int, float]
    judge: Judge
    space: Space
    part: Mapping[str, Any]

    @property
    def objectives(self) -> list[str]:
        return list(self.part.get("objectives") or ["metric"])

    @property
    def done(self) -> list[Trial]:
        """The finished ones, in their order."""
        return [trial for trial in self.trials if trial.state == "finished"]

    @cached_property
    def ranked(self) -> list[Trial]:
        """The finished ones, the best validation value first."""
        by_number = {trial.number: trial for trial in self.done}
        order = self.judge.ranked({number: trial.values["metric"] for number, trial in by_number.items()})
        return [by_number[number] for number in order]

    @cached_property
    def front(self) -> list[Trial]:
        """The Pareto front, the best metric first; empty where there is one objective."""
        whole = [trial for trial in self.done if set(trial.values) == set(self.objectives)]
        numbers = front_of(whole, self.judge)
        return [trial for trial in self.ranked if trial.number in numbers]

    @cached_property
    def importance(self) -> dict[str, float]:
        return importance_of(self.trials, self.space, self.judge)

    @cached_property
    def fences(self) -> tuple[float, float]:
        """Between which values figures look closely (Tukey 1977): one diverged trial must not flatten all others."""
        values = [trial.values["metric"] for trial in self.done] + list(self.last.values())
        low, high = np.quantile(values, [0.25, 0.75])
        reach = FENCE * (high - low)
        return max(min(values), low - reach), min(max(values), high + reach)

    def count(self, state: str) -> int:
        return sum(trial.state == state for trial in self.trials)


def found_in(subject: Subject, part: Mapping[str, Any]) -> Found:
    """Read from search.json, which holds what the trials cost and those that never became a job, and the jobs."""
    file = subject.path / "search.json"
    kept: dict[str, Any] = read_json(file) if file.is_file() else {"search": part, "trials": []}
    judge = Judge(*remembered(subject.path, "judge"))
    command = [parse(text) for text in sweep_settings(subject.path)[-1]]
    space = read_space([o for o in command if o.key_or_group.split(".")[0].split("/")[0] not in ("search", "hydra")])
    objectives = list(kept["search"].get("objectives") or ["metric"])
    job_of = {job.path.name: job for job in subject.jobs}
    trials = []
    for row in kept["trials"]:
        params = {key: row[key] for key in space.keys if row.get(key) is not None}
        costs = {name: row[name] for name in objectives if row.get(name) is not None}
        job = job_of.get(row["folder"])
        if job is None:
            trials.append(Trial(row["trial"], row["state"], params, error=row["error"]))
        else:
            trials.append(_trial(row["trial"], job, params, costs, judge, space))
    known = {row["folder"] for row in kept["trials"]}
    trials += [
        _trial(job.number, job, space.values(job.overrides), {}, judge, space)
        for job in subject.jobs
        if job.path.name not in known
    ]
    last = {
        t.number: v for t in trials if t.state == "pruned" and t.folder and (v := judge.value(t.folder)) is not None
    }
    return Found([t for t in trials if t.state != "waiting"], last, judge, space, kept["search"])


def _trial(
    number: int, job: Job, params: Mapping[str, Any], costs: Mapping[str, float], judge: Judge, space: Space
) -> Trial:
    value = judge.value(job.path) if job.state == "finished" else None
    state, error = job.state, job.error
    if job.state == "finished" and value is None:
        state, error = "failed", f"{judge.monitor} is not defined in any of its epochs"
    values = {} if value is None else {"metric": value, **costs}
    return Trial(number, state, params, values, job.path, error, space.typed(job.overrides))
