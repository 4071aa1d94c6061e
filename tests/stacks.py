"""Small runs trained as one stack and one after another, for the tests that compare the two."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from crossfade.build import build_data
from crossfade.config import RunConfig, compose
from crossfade.data.module import DataModule
from crossfade.runs import RunFolder, write_json
from crossfade.stacked.batchable import data_key
from crossfade.stacked.train import Job, Outcome, train_stacked
from crossfade.training.checkpoint import read_checkpoint
from crossfade.training.fit import train

SMALL = (
    "task=synthetic",
    "task.modalities=[a,b,c]",
    "data.source.samples=120",
    "data.source.law=copy",
    "data.source.missing=0.2",
    "data.batch_size=16",
    "encoder.table.hidden=8",
    "core=transformer",
    "core.depth=1",
    "core.heads=2",
    "core.dropout=0.0",
    "width=16",
    "folds=4",
    "trainer.epochs=2",
    "trainer.precision=64-true",
    "trainer.progress=false",
)
_data: dict[str, DataModule] = {}


def config(*settings: str) -> RunConfig:
    """The checked config of a small run."""
    made = compose(*(s for s in SMALL if s != "folds=4"), *settings)
    return made.model_copy(update={"folds": 4})


def data_of(config: RunConfig) -> DataModule:
    """Prepared data, one object for all runs of one data set and split."""
    key = data_key(config)
    if key not in _data:
        _data[key] = build_data(config)
        _data[key].prepare()
    return _data[key]


def stacked(configs: Sequence[RunConfig], folder: Path) -> list[Outcome]:
    """Train them as one, into folder/0, folder/1, …"""
    jobs = []
    for i, one in enumerate(configs):
        (folder / str(i)).mkdir(parents=True)
        jobs.append(Job(one, RunFolder(folder / str(i)), data_of(one)))
    return train_stacked(jobs)


def alone(config: RunConfig, folder: Path) -> RunFolder:
    """Train it as every run is trained."""
    run, data = RunFolder(folder), data_of(config)
    write_json(run.preprocessing_file, data.fitted)
    train(config, run, data, "alone")
    return run


def checkpoint(folder: Path, name: str = "last") -> dict:
    return read_checkpoint(folder / "checkpoints" / f"{name}.ckpt")


def difference(a: Path, b: Path, name: str = "last") -> float:
    """The largest difference of any weight of two runs' checkpoints."""
    one, other = checkpoint(a, name)["state_dict"], checkpoint(b, name)["state_dict"]
    assert list(one) == list(other)
    assert all(one[key].dtype == other[key].dtype for key in one)
    return max(float((one[k].double() - other[k].double()).abs().max()) for k in one if one[k].numel())


def killed(settings: Sequence[Sequence[str]], folder: Path, kill: Callable[[], None]) -> None:
    """Train runs of these settings as one, in a process of its own that `kill` prepares to kill itself with −9."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_to_be_killed, args=(settings, folder, kill))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def _to_be_killed(settings: Sequence[Sequence[str]], folder: Path, kill: Callable[[], None]) -> None:
    kill()
    stacked([config(*own) for own in settings], folder)
