"""A sweep: all jobs checked before the first starts, one folder, jobs that may fail alone, one table at the end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus

from crossfade.config import RunConfig, check, effective
from crossfade.config.compose import to_plain
from crossfade.config.overrides import parse
from crossfade.errors import UserError, show_problems
from crossfade.runs import usable
from crossfade.sweeps.distinct import Plan, plan, without_idle_alpha
from crossfade.sweeps.table import Outcome, show_table

SWEEPS = Path("logs/sweeps")
LONGEST = 80  # characters of a job folder's name

Settings = list[str]


def sweep(
    jobs: Sequence[Settings],
    folder: str | None,
    compose: Callable[[Settings], Any],
    launch: Callable[[Sequence[Settings], str], Sequence[JobReturn]],
) -> list[Outcome]:
    """Check the jobs, run the distinct ones, print their table.

    `folder` is the sweep's folder where the user gave one, else a new one under logs/sweeps. Exits with 2 where a
    job's config has a fault (all faults of all jobs are named), and with 1 where a job failed.
    """
    parsed = [[parse(text) for text in job] for job in jobs]
    varying = _varying_keys(parsed)
    try:
        configs = _check_all(jobs, compose, varying)
        chosen = plan([_labels(job) for job in parsed], [_identity(config) for config in configs])
        print(chosen.note)
        place = Path(folder) if folder is not None else _new_place(configs, varying)
        usable(place)
    except UserError as error:
        show_problems(error)
        raise SystemExit(error.code) from error
    names = _names(parsed, chosen, varying)
    settings = [_job(jobs[i], parsed[i], chosen.idle[i], place, name) for i, name in names.items()]
    results = launch(settings, str(place))
    outcomes = [_outcome(place / name, result) for name, result in zip(names.values(), results, strict=True)]
    show_table(outcomes, place)
    if any(outcome.error for outcome in outcomes):
        raise SystemExit(1)
    return outcomes


def _check_all(jobs: Sequence[Settings], compose: Callable[[Settings], Any], varying: set[str]) -> list[RunConfig]:
    """The config of every job; raises UserError with the faults of all, each once."""
    configs: list[RunConfig] = []
    faults: dict[str, list[str]] = {}
    unused_alpha = []
    for job in jobs:
        raw = to_plain(compose(job), job)
        usable = without_idle_alpha(raw)
        if usable != raw:
            unused_alpha.append(raw)
        try:
            configs.append(check(usable))
        except UserError as error:
            where = ", ".join(text.lstrip("+") for text in job if parse(text).key_or_group in varying)
            for problem in error.problems:
                faults.setdefault(problem, []).append(where)
    if len(unused_alpha) == len(jobs):  # nobody uses it: a mistake, as in a single run
        try:
            check(unused_alpha[0])
        except UserError as error:
            faults |= {problem: [] for problem in error.problems if problem.startswith("alpha=")}
    if faults:
        raise UserError(*(_in_jobs(problem, where, len(jobs)) for problem, where in faults.items()))
    return configs


def _in_jobs(problem: str, where: list[str], count: int) -> str:
    if not where or len(where) == count:
        return problem
    shown = where[0] if len(where) == 1 else f"{where[0]} and {len(where) - 1} more"
    return f"{problem} (in the job {shown})" if len(where) == 1 else f"{problem} (in the jobs {shown})"


def _identity(config: RunConfig) -> str:
    return json.dumps(effective(config), sort_keys=True)


def _labels(job: Sequence[Override]) -> dict[str, str]:
    return {o.key_or_group: o.get_value_element_as_str() for o in job}


def _varying_keys(jobs: Sequence[Sequence[Override]]) -> set[str]:
    labels = [_labels(job) for job in jobs]
    return {key for key in labels[0] if len({label[key] for label in labels}) > 1}


def _new_place(configs: Sequence[RunConfig], varying: set[str]) -> Path:
    from crossfade.runs import new_folder

    first = configs[0]
    return new_folder(SWEEPS, first.name or "_".join([first.task.name, *sorted(varying)])).path


def _names(parsed: Sequence[Sequence[Override]], chosen: Plan, varying: set[str]) -> dict[int, str]:
    """Folder names: the job's number and the settings that make it differ, "00_fusion=weighted,alpha=0.1"."""
    digits = max(2, len(str(len(chosen.jobs) - 1)))
    names = {}
    for number, i in enumerate(chosen.jobs):
        labels = {key: value for key, value in _labels(parsed[i]).items() if key in varying - chosen.idle[i]}
        text = ",".join(f"{key}={value}" for key, value in labels.items())
        names[i] = f"{number:0{digits}d}_{re.sub(r'[^A-Za-z0-9_.,=+-]+', '-', text)}"[:LONGEST].rstrip("_.-,")
    return names


def _job(job: Settings, parsed: Sequence[Override], idle: set[str], place: Path, name: str) -> Settings:
    from crossfade.commands.train import quoted

    kept = [text for text, override in zip(job, parsed, strict=True) if override.key_or_group not in idle]
    if not any(override.key_or_group == "group" for override in parsed):
        kept.append(f"++group={quoted(Path(place.name))}")
    return [
        *kept,
        f"++singles_cache={quoted(place / 'singles')}",
        f"hydra.sweep.dir={quoted(place)}",
        f"hydra.sweep.subdir={quoted(Path(name))}",
    ]


def _outcome(folder: Path, result: JobReturn) -> Outcome:
    if result.status is JobStatus.COMPLETED:
        return Outcome.of_folder(folder)
    error = result._return_value  # the property would raise it
    return Outcome(folder, error=f"{type(error).__name__}: {error}" if not isinstance(error, UserError) else str(error))
