"""What a trial's model costs, as an objective beside its metric."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossfade.config import RunConfig
from crossfade.runs import RunFolder

REPEATS = 50


def costs(config: RunConfig, folder: Path, objectives: Sequence[str]) -> dict[str, float]:
    """Those of latency (ms, one sample, median of `REPEATS`, one core's CPU), parameters and flops (of one sample).

    Measured between the batches of trials, so that no training runs beside it.
    """
    from crossfade.evaluation.cost import first, flops, milliseconds
    from crossfade.evaluation.reopen import reopen_data, reopen_model

    run = RunFolder(folder)
    summary = run.summary()
    found = {"parameters": float(sum(summary["parameters"].values()))}
    if {"latency", "flops"} & set(objectives):
        model = reopen_model(config, run, summary["checkpoint"])
        data = reopen_data(config, run)
        one = first(next(iter(data.loader("val"))), 1)
        found |= {"latency": milliseconds(model, one, REPEATS), "flops": float(flops(model, one))}
    return {name: found[name] for name in objectives if name in found}
