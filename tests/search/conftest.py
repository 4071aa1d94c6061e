"""Searches through the command line, with the training replaced by a formula."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import crossfade
from crossfade.config import RunConfig
from crossfade.runs import RunFolder
from crossfade.search import outer, trials
from crossfade.sweeps.report import ended

METRIC = "label/balanced_accuracy"
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class Faked:
    """`calls` are the runs that were trained; `validation` and `test` say what they scored, by config."""

    def __init__(self) -> None:
        self.calls: list[tuple[RunConfig, Path, list[str]]] = []
        self.validation: Callable[[RunConfig], float] = lambda config: 0.5
        self.test: Callable[[RunConfig], float] = lambda config: 0.25

    def run(self, config: RunConfig, folder: Path, overrides: list[str]) -> None:
        self.calls.append((config, folder, list(overrides)))
        run = RunFolder(folder)
        run.config_file.write_text(yaml.dump(config.dump(), Dumper=DUMPER, sort_keys=False), encoding="utf-8")
        run.overrides_file.write_text("".join(f"{text}\n" for text in overrides), encoding="utf-8")
        with run.running():
            best = self.validation(config)
            # the best epoch is not the last
            run.metrics_file.write_text(f"epoch,step,val/{METRIC}\n0,1,{best - 0.1}\n1,2,{best}\n2,3,{best - 0.2}\n")
            summary = {
                "modalities": list(config.task.modalities),
                "metrics": {METRIC: self.test(config)},
                "main": METRIC,
                "higher_is_better": True,
                "interval": [0.2, 0.3],
                "samples": {"train": 70, "val": 10, "test": 20},
                "parameters": {"trained": config.width, "frozen": 0},
                "checkpoint": "best",
            }
            run.summary_file.write_text(json.dumps(summary))


@pytest.fixture
def faked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faked:
    fake = Faked()
    experiment = types.ModuleType("crossfade.experiment")
    experiment.run = lambda *arguments: fake.run(*arguments)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "crossfade.experiment", experiment)
    monkeypatch.setattr(crossfade, "experiment", experiment, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    for module in (outer, trials):
        monkeypatch.setattr(module, "ended", lambda place: None)
    return fake


@pytest.fixture
def pages(faked: Faked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches end with their page, which takes a second to draw; in other tests they do not."""
    for module in (outer, trials):
        monkeypatch.setattr(module, "ended", ended)
