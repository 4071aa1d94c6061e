"""A sweep as its page looks at it: by one metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from crossfade.analysis.results_table import spoken_metric
from crossfade.drawing import SERIES
from crossfade.runs import RunFolder
from crossfade.sweeps.jobs import Job
from crossfade.sweeps.report.curves import Landscape, landscape_of
from crossfade.sweeps.report.pairs import Pairs, best_single
from crossfade.sweeps.report.ranking import Ranking, rank, sentences
from crossfade.sweeps.report.settings import Setting, settings_of


@dataclass(frozen=True)
class Sweep:
    """A sweep that has one finished run at least, looked at by one metric."""

    path: Path
    jobs: Sequence[Job]
    table: pd.DataFrame
    metric: str  # "<target>/<metric>"
    better: str

    @property
    def spoken(self) -> str:
        return spoken_metric(self.metric)

    @property
    def target(self) -> str:
        return self.metric.partition("/")[0]

    @cached_property
    def settings(self) -> list[Setting]:
        return settings_of(self.table, self.metric)

    @cached_property
    def pairs(self) -> Pairs:
        config = next(job.config for job in self.jobs if self.target in (job.config.get("target") or {}))
        return Pairs(self.path, self.metric, config["target"][self.target]["kind"])

    @cached_property
    def ranking(self) -> Ranking:
        return rank(self.settings, self.pairs, self.better)

    @cached_property
    def landscape(self) -> Landscape | None:
        return landscape_of(self.settings, self.pairs, self.better)

    @cached_property
    def single(self) -> Setting | None:
        """The best single modality beside the best setting."""
        return best_single(self.path, self.ranking.settings[0].rows, self.metric, self.better)

    @property
    def bound(self) -> float:
        """Of the Bayes classifier, where the metric is the one that it is of; else NaN."""
        return self.ranking.settings[0].over_repeats("bound") if self.metric == self.table.attrs["main"] else math.nan

    @cached_property
    def colours(self) -> dict[str, str]:
        """By strategy, and by the label of each setting: its strategy's, or its own where there is one strategy."""
        curves = [curve.strategy for panel in self.landscape.panels for curve in panel.curves] if self.landscape else []
        names = list(dict.fromkeys([*curves, *(s.strategy for s in [*self.ranking.settings, *self.settings])]))
        found = {name: SERIES[i % len(SERIES)] for i, name in enumerate(names)}
        for i, s in enumerate(self.ranking.settings):
            found[s.label] = found[s.strategy] if self.ranking.by_strategy else SERIES[i % len(SERIES)]
        return found

    def runs_summary(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """summary.json of a row of the table."""
        return RunFolder(self.path / str(row["folder"])).summary()

    @cached_property
    def verdicts(self) -> list[str]:
        return list(sentences(self.ranking, self.single, self.pairs, self.better))
