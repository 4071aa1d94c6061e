"""metrics.csv: one row a step, new columns at any time, whole after a kill, continued on resume."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from crossfade.tracking import CsvLogger


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_logged_at_one_step_stands_in_one_row_with_sorted_columns(tmp_path):
    logger = CsvLogger(tmp_path / "metrics.csv")
    logger.log_metrics({"val/loss": 0.1 + 0.2, "epoch": 0}, 9)
    logger.log_metrics({"train/loss": 1.5, "epoch": 0}, 9)
    assert (tmp_path / "metrics.csv").read_text() == "epoch,step,train/loss,val/loss\n0,9,1.5,0.30000000000000004\n"


def test_a_later_column_leaves_the_earlier_rows_empty(tmp_path):
    logger = CsvLogger(tmp_path / "metrics.csv")
    logger.log_metrics({"b": 1.0, "epoch": 0}, 0)
    logger.log_metrics({"a": 2.0, "b": 3.0, "epoch": 1}, 5)
    assert (tmp_path / "metrics.csv").read_text() == "epoch,step,a,b\n0,0,,1.0\n1,5,2.0,3.0\n"


def test_every_row_is_on_disk_as_soon_as_it_is_logged(tmp_path):
    logger = CsvLogger(tmp_path / "metrics.csv")
    for step in range(3):
        logger.log_metrics({"a": float(step), "epoch": step}, step)
        assert len(read(tmp_path / "metrics.csv")) == step + 1


def test_resume_keeps_the_rows_before_the_resumed_step_and_drops_the_others(tmp_path):
    path = tmp_path / "metrics.csv"
    first = CsvLogger(path)
    for epoch in range(4):
        first.log_metrics({"a": float(epoch), "epoch": epoch}, 10 * epoch + 9)
    again = CsvLogger(path)  # the checkpoint was that of epoch 1
    again.log_metrics({"a": 20.0, "epoch": 2}, 29)
    assert [(row["epoch"], row["step"], row["a"]) for row in read(path)] == [
        ("0", "9", "0.0"),
        ("1", "19", "1.0"),
        ("2", "29", "20.0"),
    ]


def test_opening_alone_changes_nothing(tmp_path):
    path = tmp_path / "metrics.csv"
    CsvLogger(path).log_metrics({"a": 1.0, "epoch": 0}, 3)
    before = path.read_bytes()
    CsvLogger(path)
    assert path.read_bytes() == before


def test_no_file_before_the_first_metric(tmp_path):
    CsvLogger(tmp_path / "metrics.csv").finalize("success")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_rows_that_were_there(tmp_path, monkeypatch):
    from crossfade.runs import files

    path = tmp_path / "metrics.csv"
    logger = CsvLogger(path)
    logger.log_metrics({"a": 1.0, "epoch": 0}, 0)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        logger.log_metrics({"a": 2.0, "epoch": 1}, 1)
    assert len(read(path)) == 1
