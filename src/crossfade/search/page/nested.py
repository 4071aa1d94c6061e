"""A nested cross-validation as its run folders tell it, finished or not: the inner runs apart from the outer ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from crossfade.search.choice import Choice, choose
from crossfade.sweeps.jobs import Job
from crossfade.sweeps.report.settings import Setting, settings_of
from crossfade.sweeps.report.subject import Subject
from crossfade.sweeps.report.sweep import Sweep

INNER = "data.inner_fold"
Place = tuple[str, int, int | None]  # setting, seed, outer fold
NESTED = (INNER, "data.inner_folds", "singles", "patterns")  # by what inner runs differ from outer ones


@dataclass(frozen=True)
class Split:
    """One outer split of one setting: its inner scores, and what was scored outside.

    `scores` (A, J) are of each α on each inner fold, NaN where an inner run has none; `choice` is None where one is
    missing. `row` is the outer run's in the sweep's table, with its own α; None where it has not finished.
    """

    setting: str
    seed: int
    fold: int | None
    alphas: Sequence[float]
    scores: np.ndarray
    choice: Choice | None
    outer: float
    row: Mapping[str, Any] | None

    @property
    def label(self) -> str:
        return f"seed {self.seed}" + ("" if self.fold is None else f", fold {self.fold}")


class Nested:
    """`part` is the search's part of the config. Scores are of the subject's metric, α is chosen by the main one."""

    def __init__(self, subject: Subject, part: Mapping[str, Any], metric: str) -> None:
        self.subject, self.metric = subject, metric
        self.alphas = [round(float(alpha), 12) for alpha in part["alphas"]]
        self.inner, self.one_se = int(part["inner"]), bool(part["one_se"])
        self.main, self.better = str(subject.table.attrs["main"]), subject.better
        self.modalities: list[str] = subject.table.attrs["modalities"]
        self.varying = [key for key in subject.table.attrs["varying"] if key not in NESTED]
        fold_of = {job.number: int(job.settings[INNER]) for job in subject.jobs if INNER in job.settings}
        whole = subject.table[subject.table["state"] == "finished"]
        rows = _plain(whole)
        self.inner_rows = [r | {"inner": fold_of[r["job"]]} for r in rows if r["job"] in fold_of]
        self.outer_rows = [r for r in rows if r["job"] not in fold_of]
        self.outer_jobs = [job for job in subject.jobs if INNER not in job.settings]

    def setting_of(self, row: Mapping[str, Any]) -> str:
        """What varies besides α, seed and fold: "weighted width=32"."""
        return " ".join([row["strategy"], *(f"{key}={row[key]}" for key in self.varying if row[key] is not None)])

    @cached_property
    def splits(self) -> list[Split]:
        """In the order of the jobs, those of one setting together."""
        groups: dict[Place, list[dict[str, Any]]] = {}
        for row in self.inner_rows:
            groups.setdefault(self._place(row), []).append(row)
        outer = {self._place(row): row for row in self.outer_rows}
        names = list(dict.fromkeys(setting for setting, *_ in groups))
        ordered = sorted(groups.items(), key=lambda group: names.index(group[0][0]))
        return [self._split(place, rows, outer.get(place)) for place, rows in ordered]

    def _place(self, row: Mapping[str, Any]) -> Place:
        return self.setting_of(row), int(row["seed"]), None if row["fold"] is None else int(row["fold"])

    def _split(self, place: Place, rows: Sequence[Mapping[str, Any]], outer: Mapping[str, Any] | None) -> Split:
        by_main, seen = self._scores(rows, self.main), self._scores(rows, self.metric)
        choice = None
        if np.isfinite(by_main).all():
            higher = self.subject.table.attrs["better"] == "max"
            choice = choose(self.alphas, by_main.tolist(), higher, 1 / len(self.modalities), self.one_se)
        value = None if outer is None else outer.get(self.metric)
        setting, seed, fold = place
        scored = math.nan if value is None else float(value)
        return Split(setting, seed, fold, self.alphas, seen, choice, scored, outer)

    def _scores(self, rows: Sequence[Mapping[str, Any]], metric: str) -> np.ndarray:
        found = np.full((len(self.alphas), self.inner), math.nan)
        for row in rows:
            if row.get(metric) is not None:
                found[self.alphas.index(round(row["alpha"], 12)), row["inner"]] = row[metric]
        return found

    @cached_property
    def outer(self) -> Sweep | None:
        """The outer runs as a sweep of their own, α in them as a trained one; None where none has finished.

        What the whole procedure learns from are the training and the validation samples: α is chosen on both.
        """
        rows = [r for r in self.outer_rows if r.get(self.metric) is not None]
        if not rows:
            return None
        table = pd.DataFrame([{**row, "learned": True, "train": self._learned_from(row)} for row in rows])
        return self._sweep(table)

    @cached_property
    def landscape(self) -> Sweep | None:
        """The inner runs as a sweep: of several outer splits each the mean over its inner folds, beside the outer runs.

        None where no outer split has all of its inner scores.
        """
        whole = [split for split in self.splits if split.choice is not None and np.isfinite(split.scores).all()]
        several = {s.setting for s in whole if sum(o.setting == s.setting for o in whole) > 1}
        places = {(s.setting, s.seed, s.fold) for s in whole}
        rows = []
        groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for row in self.inner_rows:
            if self._place(row) in places:
                groups.setdefault((*self._place(row), row["alpha"]), []).append(row)
        for (setting, *_), same in groups.items():
            if setting in several:
                rows.append({**same[0], self.metric: float(np.mean([row[self.metric] for row in same]))})
            else:
                rows += [{**row, "fold": row["inner"]} for row in same]  # one outer split: its inner folds are repeats
        rows += [{**row, "learned": True} for row in self.outer_rows if row.get(self.metric) is not None]
        return self._sweep(pd.DataFrame(rows)) if places else None

    @property
    def settings(self) -> dict[str, Setting]:
        """Of each setting its outer runs."""
        if self.outer is None:
            return {}
        return {self.setting_of(next(iter(s.rows.values()))): s for s in settings_of(self.outer.table, self.metric)}

    def _learned_from(self, row: Mapping[str, Any]) -> int:
        from crossfade.runs import RunFolder

        sizes = RunFolder(self.subject.path / str(row["folder"])).summary()["samples"]
        return int(sizes["train"] + sizes["val"])

    def _sweep(self, table: pd.DataFrame) -> Sweep:
        table.attrs = {**self.subject.table.attrs, "varying": self.varying}
        jobs: Sequence[Job] = self.subject.jobs
        return Sweep(self.subject.path, jobs, table, self.metric, self.better)


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with None for what they do not have."""
    return [
        {str(key): None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]
