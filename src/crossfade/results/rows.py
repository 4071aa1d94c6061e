"""What stands in a run's tables: its targets' main metrics, and a row per model or reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossfade.analysis.results_table import Row
from crossfade.config import RunConfig
from crossfade.targets import target_class


def mains(config: RunConfig) -> list[tuple[str, str, str]]:
    """Of each target its name, its main metric, and whether "max" or "min" of it is better."""
    found = []
    for name in config.task.targets:
        kind = target_class(config.target[name])
        found.append((name, f"{name}/{kind.main}", kind.direction(kind.main)))
    return found


def rows_of(summary: Mapping[str, Any]) -> list[Row]:
    """The table's rows: fused, each single modality, chance, Bayes bound."""
    main = summary["main"]
    rows = [_row(summary["fusion"], "fused", summary)]
    rows += [_row(name, "single", single) for name, single in (summary.get("singles") or {}).items()]
    rows += [Row(name, "reference", _known(values), {}) for name, values in (summary.get("references") or {}).items()]
    rows.append(Row("chance", "chance", _known(summary["chance"]), {}))
    if summary.get("bound"):
        bound = summary["bound"]
        rows.append(Row("Bayes bound", "bound", {main: bound["value"]}, {main: (bound["low"], bound["high"])}))
    return rows


def _row(label: str, role: Any, summary: Mapping[str, Any]) -> Row:
    intervals = {main: tuple(ends) for main, ends in (summary.get("intervals") or {}).items() if ends}
    return Row(label, role, _known(summary["metrics"]), intervals)


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}
