"""What the cache of frozen encoders' outputs saves: whole trainings with it, against encoding every batch.

A mobilenet-size CNN (timm's mobilenetv3_small_050, 96 × 96 px) and a BERT of four layers (width 256, 64 word pieces),
frozen, weights drawn; width 32, one token, batches of 64. "Without" encodes each batch of each epoch; everything else
is the same code. Each time is of a whole training (model, epochs, validation, checkpoints) from prepared data; the
first with the cache begins with an empty one and encodes the training and validation samples once. Neither side
encodes the test split: no training reads it. Every run hashes its inputs, as a process of its own would. The repeats
are interleaved; figures are medians, of ratios too.

    python benchmarks/cache.py [--samples 2000] [--epochs 10] [--runs 21] [--repeats 3] [--threads 1]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from overhead import RandomSource
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from crossfade.build import build_data, build_model
from crossfade.cache import keys as feature_keys
from crossfade.cache.features import compute_features
from crossfade.config import RunConfig, compose
from crossfade.data.module import DataModule
from crossfade.runs import RunFolder
from crossfade.stacked.train import Job, train_stacked
from crossfade.training import fit as training

SETTINGS = [
    "task=medical",
    "task.modalities=[ct,note]",
    "modality.ct={kind:image,channels:3,size:96,range:[-3,3]}",
    "modality.note={kind:text,length:64}",
    "encoder.image={model:mobilenetv3_small_050,frozen:true}",
    "encoder.text={hidden:256,layers:4,heads:4,frozen:true}",
    "width=32",
    "data.batch_size=64",
    "trainer.progress=false",
]
BATCH = 64


def prepared(samples: int, epochs: int, alpha: float) -> tuple[RunConfig, DataModule]:
    """The config, and data of which seven tenths are for training."""
    config = compose(*SETTINGS, f"trainer.epochs={epochs}", f"alpha={alpha}")
    specs = {name: config.modality[name] for name in config.task.modalities}
    rest = round(0.15 * samples)
    data = build_data(config, source=RandomSource(specs, samples - 2 * rest, rest))
    data.prepare()
    return config, data


@contextlib.contextmanager
def cache_at(folder: str) -> Iterator[None]:
    """Use a cache of one's own."""
    with mock.patch.dict(os.environ, {"CROSSFADE_CACHE": folder}):
        yield


def forget(data: DataModule) -> None:
    """What this process knows of the data's features and of the hashes of its values."""
    data.samples.known.clear()
    feature_keys._values.clear()


def fit(config: RunConfig, data: DataModule) -> float:
    """Seconds for one training."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        training.fit(config, RunFolder(Path(folder)), data, "run")
        return time.perf_counter() - started


def without(config: RunConfig, data: DataModule) -> float:
    """Seconds for one training that encodes every batch."""
    with mock.patch.object(training, "compute_features"):
        return fit(config, data)


def with_cache(samples: int, epochs: int, data: DataModule, runs: int) -> tuple[float, float]:
    """Seconds for the first of `runs` trainings of different α, which fills an empty cache, and for all of them."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder, cache_at(folder):
        for alpha in np.linspace(0, 1, runs):
            forget(data)  # each run takes them from the disk, as a process of its own would
            config = compose(*SETTINGS, f"trainer.epochs={epochs}", f"alpha={alpha:g}")
            seconds.append(fit(config, data))
    return seconds[0], sum(seconds)


def stacked(epochs: int, data: DataModule, runs: int) -> float:
    """Seconds for the same runs as one stack (hydra/launcher=vectorized), an empty cache to begin with."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as place, cache_at(folder):
        forget(data)
        jobs = []
        for i, alpha in enumerate(np.linspace(0, 1, runs)):
            run = RunFolder(Path(place) / str(i))
            run.path.mkdir()
            jobs.append(Job(compose(*SETTINGS, f"trainer.epochs={epochs}", f"alpha={alpha:g}"), run, data))
        started = time.perf_counter()
        train_stacked(jobs)
        return time.perf_counter() - started


class Items(Dataset[tuple[Tensor, ...]]):
    """The same features, one sample at a time."""

    def __init__(self, data: DataModule) -> None:
        self.samples, self.rows = data.samples, data.split["train"]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Tensor, ...]:
        s, row = self.samples, self.rows[i]
        features = [part[row] for pair in s.features.values() for part in pair]
        return (*features, s.present[row], *(truth[row] for truth in s.truth.values()))


def batches(data: DataModule, repeats: int) -> tuple[list[float], list[float]]:
    """Milliseconds a batch, of our loader and of a DataLoader of single samples, in turns: the median of each epoch."""

    def timed(loader: Iterable[object]) -> float:
        iterator, seconds = iter(loader), []
        while True:
            started = time.perf_counter()
            if next(iterator, None) is None:
                return float(np.median(seconds)) * 1e3
            seconds.append(time.perf_counter() - started)

    items = DataLoader(Items(data), batch_size=BATCH, shuffle=True, drop_last=True)
    ours, theirs = [], []
    for epoch in range(repeats):
        ours.append(timed(data.loader("train", shuffle=True, epoch=epoch)))
        theirs.append(timed(items))
    return ours[1:], theirs[1:]


def quartiles(values: list[float], digits: int) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.{digits}f}  ({low:.{digits}f} to {high:.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--runs", type=int, default=21, help="values of α")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batches-only", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    training.quiet()
    console = Console()
    config, data = prepared(asked.samples, asked.epochs, 0.5)
    if not asked.batches_only:
        with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder, cache_at(folder):
            fit(compose(*SETTINGS, "trainer.epochs=1", "alpha=0.5"), data)  # everything is cold the first time
        bare, first, every, together = [], [], [], []
        for _ in range(asked.repeats):
            bare.append(without(config, data))
            one, some = with_cache(asked.samples, asked.epochs, data, asked.runs)
            first.append(one)
            every.append(some)
            with contextlib.redirect_stdout(io.StringIO()):
                together.append(stacked(asked.epochs, data, asked.runs))
        table = Table("", "without, s", "with, s", "ratio (quartiles)")
        what = f"{asked.epochs} epochs of {len(data.split['train'])} samples"
        ratio = [b / f for b, f in zip(bare, first, strict=True)]
        table.add_row(f"one run, {what}", f"{np.median(bare):.1f}", f"{np.median(first):.1f}", quartiles(ratio, 1))
        ratio = [b * asked.runs / e for b, e in zip(bare, every, strict=True)]
        whole = f"{np.median(bare) * asked.runs:.0f} (one × {asked.runs})"
        table.add_row(f"{asked.runs} values of α", whole, f"{np.median(every):.1f}", quartiles(ratio, 1))
        ratio = [b * asked.runs / t for b, t in zip(bare, together, strict=True)]
        table.add_row("the same, stacked", whole, f"{np.median(together):.1f}", quartiles(ratio, 1))
        later = [(e - f) / (asked.runs - 1) for e, f in zip(every, first, strict=True)] if asked.runs > 1 else [np.nan]
        console.print(table)
        console.print(f"a run that finds its features: {np.median(later):.2f} s")
    with tempfile.TemporaryDirectory() as folder, cache_at(folder):
        forget(data)
        compute_features(build_model(config, data.fitted), data)
        ours, theirs = batches(data, 31)
    table = Table("64 cached rows", "ours, ms", "single samples, ms", "ratio (quartiles)")
    ratio = [t / o for t, o in zip(theirs, ours, strict=True)]
    table.add_row("", quartiles(ours, 3), quartiles(theirs, 3), quartiles(ratio, 1))
    console.print(table)
    console.print(f"{asked.threads} thread(s), torch {torch.__version__}, load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
