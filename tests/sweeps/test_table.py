"""The table at the end of a sweep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossfade.sweeps.table import Outcome, ranked, show_table


def names(outcomes: list[Outcome]) -> list[str]:
    return [outcome.folder.name for outcome in ranked(outcomes)]


def test_the_best_stands_first_and_the_failed_last() -> None:
    outcomes = [
        Outcome(Path("bad"), error="ValueError: boom"),
        Outcome(Path("low"), "y/accuracy", 0.2),
        Outcome(Path("unknown"), "y/accuracy", None),
        Outcome(Path("high"), "y/accuracy", 0.9),
    ]
    assert names(outcomes) == ["high", "low", "bad", "unknown"]


def test_of_errors_the_smallest_is_best() -> None:
    errors = [
        Outcome(Path(name), "y/mae", value, higher_is_better=False) for name, value in (("big", 3.0), ("small", 1.0))
    ]
    assert names(errors) == ["small", "big"]


def test_an_outcome_is_read_from_the_summary(tmp_path: Path) -> None:
    assert Outcome.of_folder(tmp_path).error == "ended without a summary.json"
    summary = {
        "metrics": {"y/accuracy": 0.5, "y/loss": 1},
        "main": "y/accuracy",
        "interval": None,
        "higher_is_better": True,
    }
    (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    assert Outcome.of_folder(tmp_path) == Outcome(tmp_path, "y/accuracy", 0.5, None)


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [Outcome(Path("a"), "y/accuracy", 0.5, (0.4, 0.6)), Outcome(Path("b"), error="boom\nmore")]
    show_table(outcomes, Path("logs/sweeps/x"))
    shown = capsys.readouterr().out
    assert "0.500" in shown
    assert "0.400 – 0.600" in shown
    assert "failed" in shown
    assert "boom" in shown
    assert "more" not in shown
    assert "Sweep folder: logs/sweeps/x" in shown


def test_a_long_error_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    show_table([Outcome(Path("b"), error="The loss is nan, on the samples " + "S00171, " * 30)], Path("x"))
    shown = capsys.readouterr().out
    assert "The loss is nan" in shown
    assert "…" in shown
    assert shown.count("S00171") < 15
