"""What a page of a sweep is made from, and what every such page has, whatever it shows between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from crossfade.errors import UserError, did_you_mean
from crossfade.report.facts import facts_of
from crossfade.runs import RunFolder
from crossfade.sweeps.jobs import Job, direction, sweep_settings
from crossfade.sweeps.load import table_of
from crossfade.sweeps.report import tables

Contents = dict[str, Any]  # what page.html is filled with; "tables": those of the Markdown text


@dataclass(frozen=True)
class Subject:
    """A sweep's folder, its jobs, the metric that the user asked for, where figures are drawn, where the page goes."""

    path: Path
    jobs: Sequence[Job]
    wanted: str | None
    place: Path
    page: Path

    @cached_property
    def table(self) -> pd.DataFrame:
        return table_of(self.path, self.jobs)

    @cached_property
    def metric(self) -> str | None:
        """The metric's full name; None where nothing has finished. Raises UserError for one that no run has."""
        main: str | None = self.table.attrs["main"]
        if main is None:
            return None
        named = [str(c) for c in self.table if "/" in str(c) and not str(c).startswith("val/") and " " not in str(c)]
        known = [name for name in named if name not in self.table.attrs["varying"]]
        if self.wanted is None:
            return main
        for name in (self.wanted, f"{main.partition('/')[0]}/{self.wanted}"):
            if name in known:
                return name
        names = [name.removeprefix(f"{main.partition('/')[0]}/") for name in known]
        raise UserError(
            f"metric={self.wanted}: no run of the sweep has it.{did_you_mean(self.wanted, [*names, *known])} There are "
            f"{', '.join(names)}."
        )

    @cached_property
    def better(self) -> str:
        """ "max" or "min" of the metric."""
        metric = self.metric
        if metric is None or metric == self.table.attrs["main"]:
            return str(self.table.attrs["better"])
        return direction(
            metric, next(job.config for job in self.jobs if metric.partition("/")[0] in job.config.get("target", {}))
        )

    @property
    def task(self) -> str:
        """ "synthetic · a, b": the task and its modalities."""
        names = ", ".join(dict.fromkeys(str(job.config["task"]["name"]) for job in self.jobs if job.config))
        return " · ".join(part for part in (names, ", ".join(self.table.attrs["modalities"])) if part)

    @cached_property
    def states(self) -> Counter[str]:
        return Counter(job.state for job in self.jobs)

    def frame(self, word: str) -> Contents:
        """The page without what it is about: title, what has not finished, how to do it again."""
        environment = next((e for job in self.jobs if (e := RunFolder(job.path).environment())), {})
        lost = [f"{n} {state}" for state, n in sorted(self.states.items()) if state not in ("finished", "pruned")]
        return {
            "title": f"{word} {self.path.resolve().name}",
            "subtitle": "",
            "warnings": [f"Of {len(self.jobs)} jobs {', '.join(lost)}: see the end of this page."] if lost else [],
            "numbers": [],
            "verdicts": [],
            "sections": [],
            "tables": [],
            "command": tables.sweep_command(sweep_settings(self.path), environment, self.jobs),
            "facts": facts_of(environment),
        }
