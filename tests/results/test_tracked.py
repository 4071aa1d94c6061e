"""What a run's loggers get at its end: its results under fixed names, or the word that it failed."""

from __future__ import annotations

from pathlib import Path

import pytest

import flow
from crossfade import experiment
from crossfade.config import RunConfig
from crossfade.results import tracked
from crossfade.runs import RunFolder
from crossfade.tracking import SafeLogger
from crossfade.tracking.results import Results


class Listening:
    """A logger that takes results."""

    def __init__(self) -> None:
        self.heard: list[Results | None] = []

    def conclude(self, results: Results | None) -> None:
        self.heard.append(results)


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Listening:
    logger = Listening()
    monkeypatch.setattr(tracked, "make_loggers", lambda *_: [SafeLogger("listening", logger)])  # type: ignore[arg-type]
    return logger


def small(folder: Path, *settings: str) -> RunConfig:
    """A run that thinks it has a logger, of which its training knows nothing."""
    (folder / "data").mkdir()
    return flow.config(flow.data_set(folder / "data", 36), "trainer.epochs=1", *settings)


def test_a_finished_run_hands_on_numbers_tables_and_figures(tmp_path, listening):
    config = small(tmp_path, "patterns=true", "fusion=weighted", "alpha=learned")
    folder = RunFolder(tmp_path / "run")
    summary = experiment.run(config, folder.path)
    assert not listening.heard  # there is no logger but metrics.csv
    found = tracked.results_of(config, folder)
    for name, value in summary["metrics"].items():
        assert found.numbers[f"test/{name}"] == value
    low, high = summary["intervals"]["outcome/balanced_accuracy"]
    assert found.numbers["test/outcome/balanced_accuracy/low"] == low
    assert found.numbers["test/outcome/balanced_accuracy/high"] == high
    assert sum(found.numbers[f"alpha/{modality}"] for modality in ("labs", "note", "scan")) == pytest.approx(1)
    for main, absence in summary["absence"].items():
        assert found.numbers[f"absence/{main}/scan"] == absence["drop"]["scan"]
    assert found.numbers["shapley/outcome/labs"] == summary["shapley"]["outcome"]["values"]["labs"]["value"]
    assert found.numbers["cost/trained_parameters"] == summary["parameters"]["trained"]
    confusion = found.tables["confusion/outcome"]
    assert confusion["samples"].sum() == summary["samples"]["test"]
    right = confusion[confusion["truth"] == confusion["predicted"]]["samples"].sum()
    assert right / summary["samples"]["test"] == pytest.approx(summary["metrics"]["outcome/accuracy"])
    assert len(found.tables["patterns/outcome"]) == 7
    assert found.tables["results"]["model"].iloc[0] == "weighted"
    assert all(path.is_file() for path in found.figures.values())
    assert "figures/confusion_outcome" in found.figures


@pytest.mark.parametrize(("error", "heard"), [(None, 1), (RuntimeError("out of memory"), 1), (KeyboardInterrupt(), 0)])
def test_the_end_of_a_run_is_told_once(tmp_path, listening, monkeypatch, error, heard):
    config = small(tmp_path, "logger=wandb")
    monkeypatch.setattr(tracked, "results_of", lambda *_: Results({"test/x": 1.0}))
    try:
        with tracked.tracked(config, RunFolder(tmp_path / "run")):
            if error is not None:
                raise error
    except (RuntimeError, KeyboardInterrupt) as raised:
        assert raised is error  # noqa: PT017
    assert len(listening.heard) == heard
    if heard:
        assert (listening.heard[0] is None) == (error is not None)
