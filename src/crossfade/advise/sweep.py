"""After a sweep: did what was expected of the ways of joining hold?"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from crossfade.advise.claims import SINGLE, Claim
from crossfade.advise.estimate import DRAWS
from crossfade.advise.ways import Strategy, strategy_of
from crossfade.analysis.confusion import METRICS, metric_of
from crossfade.analysis.interplay import resampling
from crossfade.analysis.paired import resampled_difference
from crossfade.analysis.statistics import Compared, corrected_t
from crossfade.analysis.verdict import is_difference
from crossfade.config import RunConfig
from crossfade.errors import UserError
from crossfade.runs import RunFolder
from crossfade.runs.find import is_run
from crossfade.targets import target_class

SHARE = 0.1  # of what the best run gains over chance: a difference that counts

Outcome = Literal["held", "did not hold", "cannot be told"]
Place = tuple[int, int | None]  # seed and fold


@dataclass(frozen=True)
class Job:
    """A finished run of the sweep: its strategy, its place, its metrics, and its single modalities' folders."""

    folder: RunFolder
    strategy: Strategy
    place: Place
    value: float
    singles: dict[str, tuple[RunFolder, float]]
    test_share: float


@dataclass(frozen=True)
class Judged:
    """A claim, the difference found in the sweep (more is better), what it rests on, and what became of the claim."""

    claim: Claim
    difference: Compared | None
    evidence: str
    outcome: Outcome


@dataclass(frozen=True)
class Sweep:
    """The sweep's jobs, the metric that counts, and notes on what was left out."""

    jobs: list[Job]
    config: RunConfig
    target: str
    metric: str
    sign: int
    margin: float
    notes: list[str]


def read_sweep(path: Path, target: str | None = None) -> Sweep:
    """The finished runs in a folder; of a cross-validation its folds.

    `target` is the one that the advice is about; None: the first. Raises UserError where there are none, or where they
    are not of one task and one set of modalities.
    """
    folders: list[RunFolder] = []
    unfinished: list[RunFolder] = []
    for job in sorted({p.parent for p in path.glob("*/config.yaml") if is_run(p.parent)}):
        run = RunFolder(job)
        folds = sorted(p.parent for p in job.glob("fold_*/config.yaml"))
        for inside in [RunFolder(f) for f in folds] or [run]:
            (folders if inside.is_finished() else unfinished).append(inside)
    if not folders:
        raise UserError(f"sweep={path}: holds no finished run. Give the folder of a sweep, logs/sweeps/….")
    configs = [folder.run_config() for folder in folders]
    first = configs[0]
    if any(
        (c.task.targets, sorted(c.task.modalities)) != (first.task.targets, sorted(first.task.modalities))
        for c in configs
    ):
        raise UserError(f"sweep={path}: its runs have other modalities or targets. Give a sweep of one task.")
    target = target or first.task.targets[0]
    kind = target_class(first.target[target])
    metric = f"{target}/{kind.main}"
    jobs, best, chance = [], [], []
    for folder, config in zip(folders, configs, strict=True):
        summary = folder.summary()
        value = summary["metrics"].get(metric)
        if value is None:
            continue
        singles = {
            name: (RunFolder(folder.path / alone["folder"]), float(alone["metrics"][metric]))
            for name, alone in (summary.get("singles") or {}).items()
            if alone["metrics"].get(metric) is not None
        }
        share = summary["samples"]["test"] / summary["samples"]["train"]
        place = (config.seed, config.data.fold)
        jobs.append(Job(folder, strategy_of(config.fusion, config), place, float(value), singles, share))
        best.append(float(value))
        if (by_chance := summary["chance"].get(metric)) is not None:
            chance.append(float(by_chance))
    sign = 1 if kind.direction(kind.main) == "max" else -1
    span = abs((max(best) if sign > 0 else min(best)) - statistics.fmean(chance)) if chance else max(map(abs, best))
    notes = [f"Left out, not finished: {', '.join(f.path.name for f in unfinished)}."] if unfinished else []
    return Sweep(jobs, first, target, metric, sign, SHARE * span, notes)


def judge(sweep: Sweep, claims: Sequence[Claim]) -> list[Judged]:
    """Each claim against the sweep."""
    found = []
    for claim in claims:
        first, second = _side(sweep, claim.first), _side(sweep, claim.second)
        if not first or not second:
            lacking = claim.first if not first else claim.second
            what = "no single modality was trained" if lacking == SINGLE else f"no run {lacking}"
            found.append(Judged(claim, None, what, "cannot be told"))
            continue
        difference, evidence = _difference(sweep, first, second)
        found.append(Judged(claim, difference, evidence, outcome(claim, difference, sweep.margin)))
    return found


def outcome(claim: Claim, difference: Compared | None, margin: float) -> Outcome:
    """What became of a claim, from the difference in the direction that is better.

    "better" holds where there is a difference, and not where the interval has no room for one that counts. "no
    difference" holds where the interval has room for none that counts, and not where there is one that does.
    """
    if difference is None or np.isnan(difference.low) or claim.expected == "open":
        return "cannot be told"
    d = difference
    if claim.expected == "better":
        if is_difference(d) and d.value > 0:
            return "held"
        return "did not hold" if d.high < margin else "cannot be told"
    if -margin < d.low and d.high < margin:
        return "held"
    return "did not hold" if is_difference(d) and abs(d.value) > margin else "cannot be told"


Members = dict[Place, list[tuple[RunFolder, float]]]


def _side(sweep: Sweep, name: str) -> Members:
    """The models of a way by seed and fold; of the single modalities the one that is best on average."""
    members: Members = {}
    if name == SINGLE:
        values: dict[str, list[float]] = {}
        for job in sweep.jobs:
            for single, (_, value) in job.singles.items():
                values.setdefault(single, []).append(sweep.sign * value)
        if not values:
            return {}
        best = max(values, key=lambda single: statistics.fmean(values[single]))
        for job in sweep.jobs:
            if best in job.singles:
                members.setdefault(job.place, [job.singles[best]])
        return members
    for job in sweep.jobs:
        if job.strategy.way == name:
            members.setdefault(job.place, []).append((job.folder, job.value))
    return members


def _difference(sweep: Sweep, first: Members, second: Members) -> tuple[Compared | None, str]:
    """Mean of the first less mean of the second, paired by seed and fold, or by sample where there is one of them."""
    shared = [place for place in first if place in second]
    count = f"{sum(len(first[p]) for p in shared)} against {sum(len(second[p]) for p in shared)} models"
    if not shared:
        return None, "no seed and fold in common"
    if len(shared) > 1:
        gaps = [
            sweep.sign * (statistics.fmean(v for _, v in first[p]) - statistics.fmean(v for _, v in second[p]))
            for p in shared
        ]
        share = statistics.fmean(job.test_share for job in sweep.jobs)
        return corrected_t(gaps, share), f"{count}, {len(shared)} seeds or folds"
    (place,) = shared
    draws = [np.mean([_replicates(sweep, folder) for folder, _ in side[place]], axis=0) for side in (first, second)]
    if any(np.isnan(d).all() for d in draws):
        return None, f"{count}; its metric has no interval from one seed"
    return resampled_difference(sweep.sign * draws[0], sweep.sign * draws[1]), f"{count}, one seed, test samples drawn"


def _replicates(sweep: Sweep, folder: RunFolder) -> np.ndarray:
    """The metric of a model's test samples, and of resamples of their groups that are the same for all models."""
    target, _, metric = sweep.metric.partition("/")
    drawn = folder.table(f"resamples_{target}")
    if drawn is not None and metric in drawn:
        return drawn[metric].to_numpy(float)
    table = folder.predictions("test")
    if sweep.config.target[target].kind == "multiclass" and metric in METRICS:
        known = table[table[f"{target}.truth"].notna()]
        names = sorted(known[f"{target}.truth"].astype(str).unique())
        number = {name: i for i, name in enumerate(names)}
        truth = known[f"{target}.truth"].astype(str).map(number).to_numpy(int)
        guess = known[f"{target}.predicted"].astype(str).map(number).fillna(len(names)).to_numpy(int)
        size = len(names) + 1
        weights = resampling(known["group"].astype(str).to_numpy(), 0, DRAWS)
        cells = np.eye(size * size)[truth * size + guess]
        return metric_of((weights @ cells).reshape(-1, size, size), metric)
    column = f"{target}.{metric}"
    if column not in table:
        return np.full(1 + DRAWS, np.nan)
    known = table[table[column].notna()]
    weights = resampling(known["group"].astype(str).to_numpy(), 0, DRAWS)
    return (weights @ known[column].to_numpy(float)) / weights.sum(1)


def ranked(sweep: Sweep, key: Callable[[Strategy], str]) -> list[tuple[str, float, int, list[str]]]:
    """Of each group of strategies: its name, mean metric, number of runs and strategies; the best first."""
    groups: dict[str, list[Job]] = {}
    for job in sweep.jobs:
        groups.setdefault(key(job.strategy), []).append(job)
    rows = [
        (name, statistics.fmean(j.value for j in jobs), len(jobs), sorted({j.strategy.name for j in jobs}))
        for name, jobs in groups.items()
    ]
    return sorted(rows, key=lambda row: -sweep.sign * row[1])
