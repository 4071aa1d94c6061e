"""What a job of a sweep costs beside its training, in one process: data, model, files, scoring, tables.

A real sweep of tiny jobs (`hydra/launcher=basic`). Of each job the whole time and that within Lightning's `fit` are
taken; the difference is printed, its median over all jobs but the first, which imports and compiles for the others.

    python benchmarks/job.py [--jobs 7] [--threads 1]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytorch_lightning as pl
import torch

from crossfade import experiment
from crossfade.cli import run as command

SETTINGS = (
    "task=synthetic",
    "data.source.samples=300",
    "width=16",
    "trainer.epochs=2",
    "trainer.progress=false",
    "singles=false",
    "figures=false",
)


def timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """The function, whose calls leave their seconds."""

    def call(*arguments: Any, **named: Any) -> Any:
        since = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            seconds.append(time.perf_counter() - since)

    return call


def beside(jobs: int, *settings: str) -> float:
    """Median seconds of a job beside its training."""
    whole: list[float] = []
    training: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(experiment, "run", timed(experiment.run, whole)),
        mock.patch.object(pl.Trainer, "fit", timed(pl.Trainer.fit, training)),
        contextlib.redirect_stdout(io.StringIO()) as said,
    ):
        seeds = ",".join(map(str, range(jobs)))
        code = command(
            "train",
            ["-m", "hydra/launcher=basic", *SETTINGS, *settings, f"seed={seeds}", f"hydra.sweep.dir={folder}/sweep"],
        )
    if code or len(whole) != jobs or len(training) != jobs:
        raise SystemExit(f"The sweep did not run through:\n{said.getvalue()}")
    return statistics.median(a - b for a, b in list(zip(whole, training, strict=True))[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    for name, settings in (("with the presence patterns", ()), ("without", ("patterns=false",))):
        print(f"{name}: {beside(given.jobs, *settings):.2f} s a job beside its training")


if __name__ == "__main__":
    main()
