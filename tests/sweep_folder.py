"""Sweep folders whose numbers are known, written in moments: as `train -m` leaves them, without a training."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from crossfade.config import compose
from crossfade.config.alpha import simplex_point
from crossfade.registry import read_option
from crossfade.runs import RunFolder, write_text

MAIN = "label/balanced_accuracy"
RATES = [round(0.1 * i, 1) for i in range(10)]
STATUS = {"pid": 1, "process": None, "host": "elsewhere", "started": "2026-11-25T08:00:00+00:00", "ended": None}
COMMAND = ["train.py", "-m", "task=synthetic", "fusion=weighted,sum", "++alpha=0.1,0.5"]


def base(*settings: str) -> dict[str, Any]:
    """The plain config of a run of `task=synthetic`."""
    return compose("task=synthetic", *settings).dump()


def summary(value: float, modalities: Sequence[str] = ("a", "b"), **more: Any) -> dict[str, Any]:
    """A run's summary with this balanced accuracy."""
    return {
        "task": "synthetic",
        "modalities": list(modalities),
        "fusion": "weighted",
        "alpha": None,
        "main": MAIN,
        "higher_is_better": True,
        "metrics": {MAIN: value, "label/accuracy": value - 0.01, "label/calibration_error": 1 - value},
        "intervals": {MAIN: [value - 0.04, value + 0.04]},
        "bound": {"value": 0.9, "low": 0.9, "high": 0.9},
        "samples": {"train": 700, "val": 150, "test": 150},
        "parameters": {"trained": 1000, "frozen": 200},
        "cost": {"flops": 5000, "milliseconds": 0.25},
        "checkpoint": "best",
        "seconds": 1.5,
        **more,
    }


def job(
    path: Path,
    config: Mapping[str, Any],
    overrides: Sequence[str],
    values: Mapping[str, Any] | None,
    validation: float = 0.8,
    error: str = "ValueError: boom",
) -> RunFolder:
    """One run folder, finished with these values, or failed without them."""
    path.mkdir(parents=True)
    folder = RunFolder(path)
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    folder.config_file.write_text(yaml.dump(dict(config), Dumper=dumper, sort_keys=False), encoding="utf-8")
    folder.overrides_file.write_text("".join(f"{text}\n" for text in overrides), encoding="utf-8")
    folder.environment_file.write_text(json.dumps({"command": COMMAND, "git": {"commit": "abc"}}), encoding="utf-8")
    state = {"state": "finished", "error": None} if values is not None else {"state": "failed", "error": error}
    folder.status_file.write_text(json.dumps({**STATUS, **state}), encoding="utf-8")
    if values is not None:
        folder.summary_file.write_text(json.dumps(values), encoding="utf-8")
        rows = [(0, validation - 0.1, 0.9), (1, validation, 0.5), (2, validation - 0.05, 0.4)]
        text = "".join(f"{e},{e},{v},{loss}\n" for e, v, loss in rows)
        folder.metrics_file.write_text(f"epoch,step,val/{MAIN},val/loss\n{text}", encoding="utf-8")
    return folder


def single(path: Path, name: str, value: float) -> dict[str, Any]:
    """A single modality trained alone, as a run's summary has it; "folder" seen from the run's."""
    return summary(value, [name]) | {"folder": f"../singles/{name}"}


def sweep(
    path: Path,
    fusion: Sequence[str],
    alphas: Sequence[Any],
    seeds: int,
    score: Callable[..., float],
    more: Mapping[str, Sequence[Any]] | None = None,
    singles: Mapping[str, float] | None = None,
    rates: bool = False,
) -> Path:
    """A job per combination that makes sense: `score(fusion, alpha, seed, **more)` is its balanced accuracy.

    `more` may have "width" and "optim.lr". Strategies without α get one job where others get one per α.
    """
    raw = base()
    number = 0
    for name in fusion:
        fields = read_option("fusion", name)
        for alpha in alphas if "alpha" in fields else [None]:
            for chosen in product(*(more or {}).values()):
                others = dict(zip(more or {}, chosen, strict=True))
                for seed in range(seeds):
                    point = simplex_point(alpha, ["a", "b"])
                    part = {k: v for k, v in fields.items() if k != "alpha"}
                    config = {**raw, "seed": seed, "fusion": part | ({"alpha": point} if "alpha" in fields else {})}
                    config["width"] = others.get("width", raw["width"])
                    config["optim"] = {**raw["optim"], "lr": others.get("optim.lr", raw["optim"]["lr"])}
                    told = [f"fusion={name}", *([f"alpha={alpha}"] if alpha is not None else [])]
                    told += [f"{key}={value}" for key, value in others.items()] + [f"seed={seed}"]
                    value = score(name, alpha, seed, **{k.rpartition(".")[2]: v for k, v in others.items()})
                    found = {"a": 0.6, "b": 0.4} if alpha == "learned" else point
                    alone = {s: single(path, s, v) for s, v in (singles or {}).items()}
                    values = summary(value, alpha=found) | ({"singles": alone} if alone else {})
                    run = job(path / f"{number:03d}_{','.join(told)}", config, ["task=synthetic", *told], values, value)
                    if rates:
                        curve = "".join(f"{r},{value - 0.3 * r},0.0\n" for r in RATES)
                        write_text(run.path / "absence_rate_label.csv", f"rate,value,sd\n{curve}")
                    number += 1
    return path


def noise(seed: int, *key: Any) -> float:
    """A small number that is the same for the same seed and key: what runs differ by."""
    return float(np.random.default_rng([seed, *(hash(str(k)) % 1000 for k in key)]).normal(0, 0.004))
