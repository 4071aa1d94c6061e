"""The jobs of a sweep as their folders and the ledger tell them. Imports no torch, and reads 500 runs in seconds."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import warnings
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from crossfade.errors import UserError
from crossfade.registry import part_name
from crossfade.runs.find import is_run
from crossfade.runs.folder import RunFolder

LEDGER = "ledger.sqlite"
NAME = re.compile(r"\d+(_|$)")  # of a job's folder, see multirun
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # RunFolder.config needs 20 ms a run, this 3


@dataclass(frozen=True)
class Fit:
    """One training of a job: the job itself, or one of its folds. Without a summary it has not ended well."""

    path: Path
    fold: int | None
    summary: Mapping[str, Any] | None
    validation: Mapping[str, float]  # by metric, at the epoch whose weights were kept


@dataclass(frozen=True)
class Job:
    """One job: where it is, what became of it, the settings as they were typed, its config, its trainings."""

    path: Path
    number: int
    state: str  # waiting | running | finished | failed | interrupted | pruned
    error: str | None
    overrides: list[str]
    config: Mapping[str, Any]  # empty where the job never came to write it
    fits: list[Fit] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, str]:
        """The settings by key; `fusion.alpha` is α as well."""
        pairs = (text.lstrip("+~").partition("=") for text in self.overrides)
        return {"alpha" if key == "fusion.alpha" else key: value for key, _, value in pairs}

    @property
    def strategy(self) -> str:
        """The fusion's name in the config group."""
        target = (self.config.get("fusion") or {}).get("_target_")
        return part_name("fusion", target) if target else self.settings.get("fusion", "")


def read_jobs(path: Path) -> list[Job]:
    """The jobs of the sweep folder `path`, in their order. Raises UserError where it holds none, or is no sweep."""
    if not path.is_dir():
        raise UserError(f"{path}: there is no such folder. Give the folder of a sweep, for example logs/sweeps/….")
    if is_run(path):
        raise UserError(f"{path} is one run, and not a sweep. Its page: crossfade report run={path}")
    known = {entry["name"]: entry for entry in _from_ledger(path)}
    folders = [p for p in path.iterdir() if p.is_dir() and (is_run(p) or NAME.match(p.name))]
    places = {p.name: p for p in folders} | {name: path / name for name in known}
    if not places:
        raise UserError(
            f"{path} holds no jobs of a sweep: there is no run folder in it. "
            "Start one with python train.py -m …, or give the folder that a sweep named at its end."
        )
    order = sorted(places, key=lambda name: (known.get(name, {}).get("number", 0), _number(name), name))
    return [_job(places[name], number, known.get(name)) for number, name in enumerate(order)]


def sweep_settings(path: Path) -> list[list[str]]:
    """What the sweep was started with, and what made it grow, as the ledger has it; nothing without a ledger."""
    known = {key: json.loads(value) for key, value in _asked(path, "select key, value from sweep")}
    return [known["command"], *known.get("grown", [])] if known else []


def remembered(path: Path, key: str) -> Any:
    """What the ledger was told under this key at the beginning ("command", "search"); None where nothing was."""
    rows = _asked(path, "select value from sweep where key = ?", key)
    return json.loads(rows[0][0]) if rows else None


def _from_ledger(path: Path) -> list[dict[str, Any]]:
    """What the sweep's ledger says of its jobs, {number, name, overrides, state, error}; nothing without a ledger."""
    keys = ("number", "name", "overrides", "state", "error")
    rows = _asked(path, f"select {', '.join(keys)} from jobs order by number")
    return [{**dict(zip(keys, row, strict=True)), "overrides": json.loads(row[2])} for row in rows]


def _asked(path: Path, query: str, *values: str) -> list[tuple[Any, ...]]:
    """Rows of the ledger, which is only read; none where there is no ledger, or it says something else.

    What has finished stands in the run folders: a damaged ledger must not keep anybody from a report.
    """
    file = path / LEDGER
    if not file.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=10)) as ledger:
            return ledger.execute(query, values).fetchall()
    except sqlite3.DatabaseError as error:
        text = f"{file}: not readable as a ledger of this version ({error}); what follows is of the run folders alone"
        warnings.warn(text, stacklevel=4)
        return []


def _job(path: Path, number: int, entry: Mapping[str, Any] | None) -> Job:
    folder = RunFolder(path)
    if not is_run(path):
        state, error = ("failed", "it ended before its config was written") if entry is None else _of(entry)
        return Job(path, number, state, error, entry["overrides"] if entry else [], {})
    config = _config(folder)
    state, error = _state(folder)
    if entry is not None and state != "finished" and entry["state"] not in ("waiting", "running"):
        state, error = _of(entry)
    folds = config.get("folds") if (config.get("data") or {}).get("fold") is None else None
    if folds is None:
        fits = [_fit(folder, (config.get("data") or {}).get("fold"), config)]
    else:
        places = [(k, RunFolder(path / f"fold_{k}")) for k in range(folds)]
        fits = [_fit(place, k, config) for k, place in places]
    return Job(path, number, state, error, folder.overrides(), config, fits)


def _of(entry: Mapping[str, Any]) -> tuple[str, str | None]:
    return entry["state"], entry["error"]


def _state(folder: RunFolder) -> tuple[str, str | None]:
    if not folder.status_file.is_file():
        return "interrupted", "it ended before its training began"
    status = folder.status()
    if status.state == "finished" and not folder.summary_file.is_file():
        return "failed", "it ended without a summary.json"
    return status.state, status.error


def _config(folder: RunFolder) -> dict[str, Any]:
    try:
        plain = yaml.load(folder.config_file.read_text(encoding="utf-8"), Loader=_LOADER)
    except yaml.YAMLError as error:
        raise UserError(f"{folder.config_file}: not readable as YAML: {error}") from error
    if not isinstance(plain, dict) or "fusion" not in plain:
        raise UserError(f"{folder.config_file}: holds no config of a run. Restore it, or move the folder away.")
    return plain


def _fit(folder: RunFolder, fold: int | None, config: Mapping[str, Any]) -> Fit:
    done = folder.is_finished()
    summary = folder.summary() if done else None
    return Fit(folder.path, fold, summary, {} if summary is None else _validation(folder, summary, config))


def _validation(folder: RunFolder, summary: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, float]:
    """The validation metrics of the epoch whose weights are scored: best.ckpt by `callbacks.monitor`, or the last."""
    if not folder.metrics_file.is_file():
        return {}
    with folder.metrics_file.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    monitor = config["callbacks"]["monitor"]
    if monitor == "auto":  # as in training.main_metric
        monitor = f"val/{summary['main']}" if len(config["task"]["targets"]) == 1 else "val/loss"
    scored = [row for row in rows if row.get(monitor)]
    if not scored:
        return {}
    chosen = scored[-1]
    if summary.get("checkpoint", "best") == "best":
        pick = max if monitor != "val/loss" and _more_is_better(monitor, summary, config) else min
        chosen = pick(scored, key=lambda row: float(row[monitor]))
    return {key[4:]: float(value) for key, value in chosen.items() if key.startswith("val/") and value}


def _more_is_better(monitor: str, summary: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    metric = monitor.removeprefix("val/")
    return bool(summary["higher_is_better"]) if metric == summary["main"] else direction(metric, config) == "max"


def direction(metric: str, config: Mapping[str, Any]) -> str:
    """Whether "max" or "min" of "<target>/<metric>" is better."""
    from crossfade.specs import TargetSpec
    from crossfade.targets import target_class  # torch, which is needed for other metrics than the main one only

    target, _, name = metric.partition("/")
    if target not in config["target"]:
        return "min"  # a loss
    return target_class(TargetSpec.model_validate({**config["target"][target], "name": target})).direction(name)


def _number(name: str) -> int:
    return int(name.partition("_")[0]) if NAME.match(name) else 0
