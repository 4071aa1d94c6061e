"""What a sweep costs: runs stacked as one model against the same runs one after another.

21 values of α on cached features (512 and 256 numbers) → width D → weighted fusion → two Transformer blocks → head,
batches of 64. Both sides are lean: no Lightning, no files; batches by index_select, fused AdamW, clipping, schedule,
deterministic kernels, a validation after each epoch with the same metrics. They take turns in one process, an epoch
each; the figure is the median over the turns of the ratio of their times. Beside it: what a stack writes at the end of
an epoch (each run's metrics and journal), as a share of the epoch.

    python benchmarks/sweep.py [--widths 32 64 128 256] [--runs 2 4 8 21] [--turns 7] [--steps 8] [--threads 1]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from overhead import NUMBERS, RandomSource
from rich.console import Console
from rich.table import Table

from crossfade.build import build_data, build_model
from crossfade.cache.features import compute_features
from crossfade.config import RunConfig, compose
from crossfade.data.module import DataModule
from crossfade.runs import RunFolder
from crossfade.stacked.engine import Engine
from crossfade.stacked.train import deterministic
from crossfade.training.optim import make_optimizer, make_schedule

BATCH = 64
SETTINGS = [
    "task=medical",
    "task.modalities=[vitals,labs]",
    f"modality.vitals={{column:[{','.join(NUMBERS)}],encoder:{{hidden:512,frozen:true}}}}",
    f"modality.labs={{kind:table,column:[{','.join(NUMBERS)}],encoder:{{hidden:256,frozen:true}}}}",
    "encoder/table=linear",
    f"data.batch_size={BATCH}",
    "trainer.epochs=1000",
    "trainer.progress=false",
]


def configs(width: int, runs: int, tokens: int, dropout: float) -> list[RunConfig]:
    """The runs, which differ in α."""
    settings = [*SETTINGS, f"width={width}", f"tokens={tokens}", f"core.dropout={dropout}"]
    return [compose(*settings, f"alpha={i / max(1, runs - 1)}") for i in range(runs)]


def prepared(config: RunConfig, steps: int) -> DataModule:
    """Random samples: `steps` batches to train on, a quarter as many to validate on."""
    specs = {name: config.modality[name] for name in config.task.modalities}
    data = build_data(config, source=RandomSource(specs, steps * BATCH, max(1, steps // 4) * BATCH))
    data.prepare()
    return data


class Alone:
    """One run, by the loop that one would write by hand."""

    def __init__(self, config: RunConfig, data: DataModule, steps: int) -> None:
        self.config, self.data = config, data
        self.generator = np.random.default_rng(0)
        self.model = build_model(config, data.fitted)
        data.samples.features.clear()  # of the run before
        compute_features(self.model, data)
        self.optimizer = make_optimizer(self.model, config.optim, True)
        self.schedule = make_schedule(self.optimizer, config.optim, steps * config.trainer.epochs)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.target = self.model.targets["diagnosis"]

    def epoch(self) -> None:
        samples, truth = self.data.samples, self.data.samples.truth["diagnosis"]
        self.model.train()
        order = torch.from_numpy(self.generator.permutation(self.data.split["train"]))
        for rows in order.split(BATCH):
            loss = self.target.loss(self._outputs(samples, rows), truth.index_select(0, rows))
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, self.config.trainer.gradient_clip)
            self.optimizer.step()
            self.schedule.step()
        self.model.eval()
        rows = torch.from_numpy(self.data.split["val"])
        with torch.no_grad():
            output = torch.cat([self._outputs(samples, part) for part in rows.split(4 * BATCH)])
            known = truth.index_select(0, rows)
            self.target.loss(output, known)
            self.target.scores(self.target.prediction(output)[None], known[None])

    def _outputs(self, samples, rows):
        features = {
            name: (x.index_select(0, rows), mask.index_select(0, rows)) for name, (x, mask) in samples.features.items()
        }
        return self.model({}, samples.present.index_select(0, rows), features)["diagnosis"]


def turns(
    width: int, runs: int, tokens: int, dropout: float, steps: int, count: int
) -> tuple[list[float], list[float], list[float]]:
    """Seconds of an epoch of all runs, one after another and stacked, and of what a stack then writes."""
    every = configs(width, runs, tokens, dropout)
    data = prepared(every[0], steps)
    alone = [Alone(config, data, steps) for config in every]
    data.samples.features.clear()
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(every, [RunFolder(Path(folder) / str(i)) for i in range(runs)], [data] * runs)
        engine.begin()
        one_by_one, stacked, writing = [], [], []
        for turn in range(count + 1):
            started = time.perf_counter()
            for run in alone:
                run.epoch()
            between = time.perf_counter()
            logged = engine.epoch(turn)
            trained = time.perf_counter()
            engine.epoch_ended(turn, logged)
            one_by_one.append(between - started)
            stacked.append(trained - between)
            writing.append(time.perf_counter() - trained)
        engine.broken_off()
    return one_by_one[1:], stacked[1:], writing[1:]  # the first turn warms up


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--widths", nargs="+", type=int, default=[32, 64, 128, 256])
    parser.add_argument("--runs", nargs="+", type=int, default=[2, 4, 8, 21])
    parser.add_argument("--tokens", type=int, default=1)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--steps", type=int, default=8, help="batches an epoch")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    table = Table(
        "width", "runs", "one after another, ms a step", "stacked, ms a step", "times quicker (quartiles)", "writing, %"
    )
    with deterministic(True):
        for width in asked.widths:
            for runs in asked.runs:
                a, b, c = turns(width, runs, asked.tokens, asked.dropout, asked.steps, asked.turns)
                low, middle, high = np.percentile(np.divide(a, b), [25, 50, 75])
                ms = [f"{np.median(x) / asked.steps * 1e3:.1f}" for x in (a, b)]
                share = f"{100 * np.median(np.divide(c, b)):.1f}"
                table.add_row(str(width), str(runs), *ms, f"{middle:.2f} ({low:.2f} to {high:.2f})", share)
    console = Console(width=110)
    console.print(table)
    console.print(
        f"{asked.turns} turns, {asked.steps} steps an epoch, K = {asked.tokens}, dropout {asked.dropout}, "
        f"{asked.threads} thread(s), torch {torch.__version__}, load average {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
