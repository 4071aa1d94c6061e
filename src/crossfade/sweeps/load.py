"""A sweep as one tidy table: a row a training, a column for whatever differs and whatever was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from crossfade.sweeps.jobs import Fit, Job, read_jobs

OWN = ("fusion", "alpha", "seed", "data.fold", "folds")  # have columns of their own, or say how jobs are repeated
LABELS = ("name", "group", "tags", "hydra.sweep.dir")  # change nothing


def load_sweep(path: Path | str) -> pd.DataFrame:
    """The sweep in the folder `path`, finished or not, as a pandas table with one row a training.

    A job that cross-validates has a row per fold. Columns, in this order:

    - job, folder (relative to the sweep's), state (waiting | running | finished | failed | interrupted), error
    - strategy; alpha: the weight of the first modality, fixed or as learned, NaN where the strategy has none;
      learned: was α trained?; "alpha.<modality>": the weight of each
    - a column for each setting that differs between jobs, under its own key ("optim.lr")
    - seed, fold
    - "<target>/<metric>": the test metrics; "<…> low" and "<…> high": ends of the 95 % interval over test groups;
      "val/<target>/<metric>": of validation, at the epoch whose weights are tested: choose with these
    - "single.<modality>": the main metric of that modality trained alone; bound: of the Bayes classifier;
      best_alpha: of the first modality, where there is a closed form
    - parameters and frozen: how many; flops, milliseconds: of the prediction of one sample; seconds: of the training
    - train, test: samples

    `attrs` has "main" (the first target's main metric), "better" ("max" or "min" of it), "modalities" and "varying",
    the settings' columns. Raises UserError where `path` is no sweep.
    """
    path = Path(path).expanduser()
    return table_of(path, read_jobs(path))


def table_of(path: Path, jobs: Sequence[Job]) -> pd.DataFrame:
    """The table of jobs that are read already."""
    varying = varying_settings(jobs)
    table = pd.DataFrame([_row(path, job, fit, varying) for job in jobs for fit in _fits(job)])
    table = table[_ordered(list(table.columns), varying)]
    summaries = [fit.summary for job in jobs for fit in job.fits if fit.summary is not None]
    mains = Counter((s["main"], bool(s["higher_is_better"])) for s in summaries)
    main, higher = mains.most_common(1)[0][0] if mains else (None, True)
    modalities = list(dict.fromkeys(m for s in summaries for m in s["modalities"]))
    table.attrs = {"main": main, "better": "max" if higher else "min", "modalities": modalities, "varying": varying}
    return table


def _fits(job: Job) -> Sequence[Fit | None]:
    """A job that never began has a row all the same."""
    return job.fits or [None]


def varying_settings(jobs: Sequence[Job]) -> list[str]:
    """The settings that differ between jobs, in the order typed, without those that have columns of their own."""
    keys = dict.fromkeys(key for job in jobs for key in job.settings)
    fixed = (*OWN, *LABELS)
    return [key for key in keys if key not in fixed and len({job.settings.get(key) for job in jobs}) > 1]


def _row(path: Path, job: Job, fit: Fit | None, varying: Sequence[str]) -> dict[str, Any]:
    summary = fit.summary if fit is not None else None
    where = job.path if fit is None else fit.path
    row: dict[str, Any] = {
        "job": job.number,
        "folder": where.relative_to(path).as_posix(),
        "state": job.state if summary is None else "finished",
        "error": job.error if summary is None else None,
        "strategy": job.strategy,
        **_alpha(job, summary),
        **{key: value_of(job.settings.get(key)) for key in varying},
        "seed": job.config.get("seed", value_of(job.settings.get("seed"))),
        "fold": fit.fold if fit is not None else None,
    }
    return row if fit is None or summary is None else row | _measured(fit, summary)


def _measured(fit: Fit, summary: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = dict(summary["metrics"])
    for metric, ends in (summary.get("intervals") or {}).items():
        if ends:
            row |= {f"{metric} low": ends[0], f"{metric} high": ends[1]}
    row |= {f"val/{metric}": value for metric, value in fit.validation.items()}
    singles = (summary.get("singles") or {}).items()
    row |= {f"single.{name}": single["metrics"].get(summary["main"]) for name, single in singles}
    cost, parameters = summary.get("cost") or {}, summary.get("parameters") or {}
    return row | {
        "bound": (summary.get("bound") or {}).get("value"),
        "best_alpha": ((summary.get("best_alpha") or {}).get(summary["modalities"][0]) or {}).get("value"),
        "parameters": sum(parameters.values()) or None,
        "frozen": parameters.get("frozen"),
        "flops": cost.get("flops"),
        "milliseconds": cost.get("milliseconds"),
        "seconds": summary.get("seconds"),
        **{split: (summary.get("samples") or {}).get(split) for split in ("train", "test")},
    }


def _alpha(job: Job, summary: Mapping[str, Any] | None) -> dict[str, Any]:
    """α as a number and by modality; of a learned one what the training found."""
    fusion = job.config.get("fusion") or {}
    if "alpha" not in fusion:
        return {"alpha": None, "learned": False}
    modalities = job.config["task"]["modalities"]
    learned = fusion["alpha"] == "learned"
    found = (summary or {}).get("alpha") if learned else fusion["alpha"]
    weights = dict.fromkeys(modalities, None if learned else 1 / len(modalities))
    if isinstance(found, Mapping):
        weights.update(found)
    return {"alpha": weights[modalities[0]], "learned": learned, **{f"alpha.{m}": w for m, w in weights.items()}}


def value_of(text: str | None) -> Any:
    """A setting as typed → number, truth value or word; lists and mappings stay as they were typed."""
    if text is None:
        return None
    try:
        return float(text) if not text.lstrip("-").isdigit() else int(text)
    except ValueError:
        pass
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return text if isinstance(value, list | dict) or value is None else value


def _ordered(columns: list[str], varying: Sequence[str]) -> list[str]:
    """The columns in the order that `load_sweep` promises: each kind together, though a row may lack some."""

    def place(column: str) -> int:
        known = ("job", "folder", "state", "error", "strategy", "alpha", "learned")
        last = ("bound", "best_alpha", "parameters", "frozen", "flops", "milliseconds", "seconds", "train", "test")
        if column in known:
            return known.index(column)
        if column in last:
            return 1000 + last.index(column)
        if column in varying:
            return 20
        kinds = (("alpha.", 10), ("val/", 60), ("single.", 70))
        named = next((at for start, at in kinds if column.startswith(start)), None)
        return named if named is not None else {"seed": 30, "fold": 31}.get(column, 40)

    return sorted(columns, key=place)
