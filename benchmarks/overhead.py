"""What the framework costs: Crossfade's training step against a bare PyTorch loop.

Both train the same model (same first weights) on the same tensors with the same kernels: fused AdamW, clipping,
schedule, precision, batches by index_select, deterministic algorithms. They take turns in one process, a block of
steps each, so that a busy machine slows both; the figure is the median over the blocks of the ratio of their times.

    python benchmarks/overhead.py [--steps 20] [--repeats 15] [--threads 2] [--models default small] [--ratios-only]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from rich.console import Console
from rich.table import Table

from crossfade.build import build_data, build_model
from crossfade.config import RunConfig, compose
from crossfade.data.module import DataModule
from crossfade.data.source import Bound, Frame
from crossfade.model import FusionModel
from crossfade.runs import RunFolder
from crossfade.specs import ModalitySpec
from crossfade.training.fit import make_trainer, quiet
from crossfade.training.module import FusionModule
from crossfade.training.optim import learning_rate_factor, parameter_groups

NUMBERS = [f"v{i}" for i in range(10)]
WORDS = [f"word{i}" for i in range(500)]

# the five medical modalities of the defaults, and a model so small that only overhead is left
MODELS: dict[str, dict[str, Any]] = {
    "default": {
        "bound": 1.10,
        "settings": ["task=medical", f"modality.vitals.column=[{','.join(NUMBERS)}]"],
    },
    "small": {
        "bound": 1.50,
        "settings": [
            "task=medical",
            "task.modalities=[vitals,labs]",
            f"modality.vitals.column=[{','.join(NUMBERS)}]",
            f"modality.labs={{kind:table,column:[{','.join(NUMBERS)}]}}",
            "width=32",
            "encoder.table.hidden=32",
            "core=none",
            "data.batch_size=64",
        ],
    },
}


class RandomSource:
    """Random samples of any kind, in memory; the first `train` of them are the training split."""

    def __init__(self, modalities: dict[str, ModalitySpec], train: int, rest: int) -> None:
        self.modalities, self.train, self.samples = modalities, train, train + 2 * rest
        self.rest = rest

    def frame(self) -> Frame:
        ids = [f"S{i:06d}" for i in range(self.samples)]
        return Frame(
            ids=ids,
            groups=ids,
            present=np.ones((self.samples, len(self.modalities)), dtype=bool),
            truth={"diagnosis": [f"class {i % 4}" for i in range(self.samples)]},
            split=["train"] * self.train + ["val"] * self.rest + ["test"] * self.rest,
        )

    def read(self, index: int, without: Collection[str] = ()) -> dict[str, Any]:
        rng = np.random.default_rng(index)
        made: dict[str, Any] = {}
        for name, spec in self.modalities.items():
            if spec.kind == "image":
                made[name] = rng.standard_normal((spec.channels, spec.size, spec.size), dtype=np.float32)
            elif spec.kind == "text":
                made[name] = " ".join(rng.choice(WORDS, 60))
            else:
                made[name] = dict(zip(NUMBERS, rng.standard_normal(len(NUMBERS)).tolist(), strict=True))
        return made

    def bayes(self, target: str, modalities: Sequence[str]) -> Bound | None:
        return None

    def fingerprint(self) -> str:
        return "random"


def prepared(model: str, steps: int, epochs: int) -> tuple[RunConfig, DataModule]:
    """The config, and random data for `steps` batches an epoch."""
    config = compose(*MODELS[model]["settings"], f"trainer.epochs={epochs}")
    batch = config.data.batch_size
    specs = {name: config.modality[name] for name in config.task.modalities}
    data = build_data(config, source=RandomSource(specs, steps * batch, batch))
    data.prepare()
    return config, data


class BareLoop:
    """The loop that one would write by hand, with the same choices as the framework's defaults."""

    def __init__(self, config: RunConfig, model: FusionModel, data: DataModule, steps: int) -> None:
        self.model, self.config = model.train(), config
        self.rows = torch.from_numpy(data.split["train"])
        self.inputs, self.present, self.truth = data.samples.kept, data.samples.present, data.samples.truth
        self.optimizer = torch.optim.AdamW(parameter_groups(model, config.optim), fused=True)
        o = config.optim
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: learning_rate_factor(step, steps, o.warmup, o.schedule)
        )
        self.parameters = list(model.parameters())
        self.target = model.targets["diagnosis"]

    def run(self, steps: int) -> float:
        """Seconds for this many steps."""
        started = time.perf_counter()
        order = self.rows[torch.randperm(len(self.rows))]
        for step in range(steps):
            index = order[step * self.config.data.batch_size : (step + 1) * self.config.data.batch_size]
            inputs = {name: x.index_select(0, index) for name, x in self.inputs.items()}
            output = self.model(inputs, self.present.index_select(0, index))["diagnosis"]
            loss = self.target.loss(output, self.truth["diagnosis"].index_select(0, index))
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, self.config.trainer.gradient_clip)
            self.optimizer.step()
            self.schedule.step()
        return time.perf_counter() - started


class TakeTurns(pl.Callback):
    """Times `steps` of Lightning's steps an epoch; after each epoch's first batch the bare loop has its turn."""

    def __init__(self, bare: BareLoop | None, steps: int) -> None:
        self.bare, self.steps = bare, steps
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self.between: list[float] = []
        self.ended = 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        if batch_idx == 0:
            if self.ended:
                self.between.append(now - self.ended)
            if self.bare is not None:
                self.theirs.append(self.bare.run(self.steps))
            self.started = time.perf_counter()
        elif batch_idx == self.steps:
            self.ours.append(now - self.started)
            self.ended = now


def fit(model: str, steps: int, repeats: int, bare: bool = True) -> tuple[TakeTurns, int]:
    """Train `repeats` epochs of `steps` + 1 batches under Lightning; the times, and the number of parameters."""
    quiet()
    config, data = prepared(model, steps + 1, repeats)
    torch.manual_seed(0)
    loop = BareLoop(config, build_model(config, data.fitted), data, repeats * steps) if bare else None
    turns = TakeTurns(loop, steps)
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(config, RunFolder(Path(folder)), model)
        trainer.callbacks = [turns, *trainer.callbacks]
        module = FusionModule(build_model(config, data.fitted), config.optim, repeats * (steps + 1), config.seed)
        trainer.fit(module, datamodule=data)
    return turns, sum(p.numel() for p in module.parameters())


def alone(model: str, which: str, steps: int, repeats: int) -> None:
    """In a process of its own: train with one of the two, print the peak memory in bytes."""
    if which == "ours":
        fit(model, steps, repeats, bare=False)
    else:
        config, data = prepared(model, steps + 1, repeats)
        torch.use_deterministic_algorithms(True)
        loop = BareLoop(config, build_model(config, data.fitted), data, repeats * steps)
        for _ in range(repeats):
            loop.run(steps + 1)
    print(json.dumps(own_peak()))


def own_peak() -> int:
    """Peak resident memory of this process in bytes.

    On Linux not getrusage's ru_maxrss: a child starts with the peak of the process that spawned it.
    """
    if platform.system() == "Linux":
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def peak_memory(model: str, which: str, steps: int, threads: int) -> float:
    """GiB, of a process that does nothing else."""
    command = [sys.executable, __file__, "--alone", model, which, "--steps", str(steps), "--repeats", "3"]
    command += ["--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1]) / 2**30


FIRST_STEP = """
import os, runpy, sys, time
from torch.optim.optimizer import register_optimizer_step_post_hook

def first(*_):
    os.write(1, f"FIRST {time.time()}\\n".encode())
    os._exit(0)

register_optimizer_step_post_hook(first)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def time_to_first_step(cache: str, threads: int) -> float:
    """Seconds from the start of the process `python train.py …` to the end of its first optimiser step."""
    train = str(Path(__file__).resolve().parents[1] / "train.py")
    environment = {**os.environ, "CROSSFADE_CACHE": cache, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", FIRST_STEP, train]
    with tempfile.TemporaryDirectory() as folder:
        started = time.time()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("FIRST "):
            return float(line.split()[1]) - started
    raise RuntimeError(f"train.py made no step:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def compare(model: str, steps: int, repeats: int) -> list[str]:
    """One row of the table of ratios; the first block, in which everything is still cold, is left out."""
    turns, parameters = fit(model, steps, repeats + 1)
    ours, bare = np.array(turns.ours[1:]), np.array(turns.theirs[1:])
    low, ratio, high = np.percentile(ours / bare, [25, 50, 75])
    bound = MODELS[model]["bound"]
    return [
        f"{model} ({parameters / 1e6:.2f} M)",
        *(f"{np.median(seconds) / steps * 1e3:.2f}" for seconds in (bare, ours)),
        f"{ratio:.3f}  ({low:.3f} to {high:.3f})",
        f"{bound:.2f} {'[green]kept' if ratio <= bound else '[red]exceeded'}",
        f"{np.median(turns.between) * 1e3:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=20, help="per block")
    parser.add_argument("--repeats", type=int, default=15, help="blocks of each of the two")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--ratios-only", action="store_true", help="no start-up times and no memory")
    parser.add_argument("--alone", nargs=2, metavar=("MODEL", "WHICH"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.alone:
        model, which = asked.alone
        alone(model, which, asked.steps, asked.repeats)
        return
    console = Console()
    ratios = Table("model", "bare, ms a step", "Crossfade, ms a step", "ratio (quartiles)", "bound", "epoch's end, ms")
    for model in asked.models:
        ratios.add_row(*compare(model, asked.steps, asked.repeats))
    console.print(ratios)
    if not asked.ratios_only:
        others = Table("measure", "Crossfade", "bare")
        for model in asked.models:
            memory = [f"{peak_memory(model, which, asked.steps, asked.threads):.2f}" for which in ("ours", "bare")]
            others.add_row(f"peak memory, {model} model, GiB", *memory)
        with tempfile.TemporaryDirectory() as cache:
            for state in ("nothing cached", "images cached"):
                seconds = time_to_first_step(cache, asked.threads)
                others.add_row(f"python train.py, seconds to the first step, {state}", f"{seconds:.1f}")
        console.print(others)
    console.print(f"{asked.threads} thread(s), torch {torch.__version__}, load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
