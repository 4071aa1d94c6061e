"""The end of a run as its loggers see it: they get its results, or learn that it failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from crossfade.build import build
from crossfade.config import RunConfig
from crossfade.results.figures import class_predictions
from crossfade.results.rows import mains, rows_of
from crossfade.runs import RunFolder
from crossfade.tracking import SafeLogger, make_loggers
from crossfade.tracking.results import Results


@contextmanager
def tracked(config: RunConfig, folder: RunFolder) -> Iterator[None]:
    """Around a whole run: at its end its loggers get what its folder holds; where it raises, they end as failed.

    An interrupted run is left as it is: it goes on under the same ID.
    """
    loggers = _loggers(config, folder)
    if not loggers:
        yield
        return
    try:
        yield
    except Exception:
        for logger in loggers:
            logger.conclude(None)
        raise
    results = results_of(config, folder)
    for logger in loggers:
        logger.conclude(results)


def tell_failure(config: RunConfig, folder: RunFolder) -> None:
    """The loggers of a run that failed elsewhere, in a stack, end as failed; those that it never got to open, too."""
    for logger in _loggers(config, folder):
        logger.conclude(None)


def _loggers(config: RunConfig, folder: RunFolder) -> list[SafeLogger]:
    made = make_loggers(config.logger, build, folder, config.dump()) if config.logger else []
    return [logger for logger in made if isinstance(logger, SafeLogger)]


def results_of(config: RunConfig, folder: RunFolder) -> Results:
    """Test metrics, the table of results, confusion, scores by pattern of presence, and the figures that are drawn."""
    summary = folder.summary()
    tables = {"results": _table(summary)}
    for name, (truth, predicted, _, classes) in class_predictions(config, folder).items():
        tables[f"confusion/{name}"] = _confusion(truth, predicted, classes)
    for name in config.task.targets:
        if (patterns := folder.table(f"absence_{name}")) is not None:
            tables[f"patterns/{name}"] = patterns.astype(object).where(patterns.notna(), None)
    figures = {f"figures/{path.stem}": path for path in sorted(folder.figures.glob("*.png"))}
    return Results(_numbers(config, summary), tables, figures)


def _numbers(config: RunConfig, summary: Mapping[str, Any]) -> dict[str, float]:
    """By name: test/<target>/<metric>, the ends of intervals, single/…, absence/…, shapley/…, alpha/…, cost/…."""
    found: dict[str, Any] = {f"test/{name}": value for name, value in summary["metrics"].items()}
    for name, ends in (summary.get("intervals") or {}).items():
        if ends:
            found |= {f"test/{name}/low": ends[0], f"test/{name}/high": ends[1]}
    for single, values in (summary.get("singles") or {}).items():
        found |= {f"single/{main}/{single}": values["metrics"].get(main) for _, main, _ in mains(config)}
    for main, absence in (summary.get("absence") or {}).items():
        found |= {f"absence/{main}/{modality}": drop for modality, drop in absence["drop"].items()}
    for name, shares in (summary.get("shapley") or {}).items():
        found |= {f"shapley/{name}/{modality}": share["value"] for modality, share in shares["values"].items()}
    if isinstance(alpha := summary.get("alpha"), Mapping):
        found |= {f"alpha/{modality}": weight for modality, weight in alpha.items()}
    found |= {f"cost/{kind}_parameters": count for kind, count in (summary.get("parameters") or {}).items()}
    found["cost/seconds"] = summary.get("seconds")
    return {name: float(value) for name, value in found.items() if value is not None}


def _table(summary: Mapping[str, Any]) -> pd.DataFrame:
    """A row for the fused model, each single modality, each reference: its metrics, its interval of the main one."""
    main = summary["main"]
    rows = []
    for row in rows_of(summary):
        low, high = row.interval.get(main, (None, None))
        metrics = {name: row.values.get(name) for name in summary["metrics"]}
        rows.append({"model": row.label, "role": row.role, **metrics, "low": low, "high": high})
    return pd.DataFrame(rows, dtype=object)


def _confusion(truth: np.ndarray, predicted: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Test samples by true and predicted class, also those pairs that never occur."""
    pairs = [(a, b, int(((truth == a) & (predicted == b)).sum())) for a in classes for b in classes]
    return pd.DataFrame(pairs, columns=["truth", "predicted", "samples"]).astype(object)
