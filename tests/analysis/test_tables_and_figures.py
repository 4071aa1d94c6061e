"""The table, the report and the figures of a run."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from sklearn.metrics import precision_recall_fscore_support

from crossfade.analysis import figures
from crossfade.analysis.classification_report import classification_report
from crossfade.analysis.results_table import Row, results_table, short, to_markdown

MAIN = "d/balanced_accuracy"
ROWS = [
    Row("weighted", "fused", {MAIN: 0.91, "d/recall": 0.91, "d/f1": 0.9}, {MAIN: (0.88, 0.94)}),
    Row("ct", "single", {MAIN: 0.61, "d/f1": 0.6}),
    Row("note", "single", {MAIN: 0.42, "d/f1": 0.4}),
    Row("chance", "chance", {MAIN: 1 / 6}),
    Row("Bayes bound", "bound", {MAIN: 0.95}),
]


def test_the_table_shows_all_rows_with_the_interval_and_marks_the_best_single():
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(results_table(ROWS, ["d/f1", "d/recall", MAIN], MAIN, "title"))
    text = console.export_text()
    assert ".910 [.880, .940]" in text
    assert "ct *" in text
    assert "note *" not in text
    assert "recall" not in text  # macro recall is balanced accuracy


def test_all_metrics_of_a_target_fit_80_columns_uncut():
    names = ["accuracy", "auroc", "balanced_accuracy", "calibration_error", "f1", "precision", "recall"]
    row = Row("ultrasound", "fused", {f"d/{name}": 0.5 for name in names}, {MAIN: (0.4, 0.6)})
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(results_table([row], [f"d/{name}" for name in names], MAIN, "title"))
    text = console.export_text()
    assert "…" not in text
    for word in ("balanced accuracy", "accuracy", "auroc", "calib.", "error", "f1", "precision", "95 % interval"):
        assert word in text
    assert "best single" not in text  # there is none


def test_many_metrics_stand_below_each_other():
    names = [f"d/metric_{i}" for i in range(12)]
    rows = [
        Row("weighted", "fused", dict.fromkeys(names, 0.5), {names[3]: (0.4, 0.6)}),
        Row("ct", "single", dict.fromkeys(names, 0.7)),
        Row("note", "single", dict.fromkeys(names, 0.6)),
    ]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(results_table(rows, names, names[3], "title", better="min"))
    lines = console.export_text().splitlines()
    first = next(line for line in lines if "metric" in line)
    assert first.split() == ["metric", "3", ".500", ".700", ".600"]
    place = lines.index(first)
    assert lines[place + 1].split() == ["95", "%", "from", ".400"]
    assert lines[place + 2].split() == ["to", ".600"]
    assert any("note *" in line for line in lines)  # the smallest is best
    assert sum("metric" in line for line in lines) == 12


def test_metrics_whose_names_are_long_stand_below_each_other_rather_than_be_cut():
    names = ["mae_kwh", "coverage", "discomfort_kh", "energy_saved", "occupancy_auroc", "pinball_kwh"]
    rows = [
        Row(label, "fused", {f"d/{name}": 0.5 for name in names}, {"d/mae_kwh": (0.4, 0.6)})
        for label in ("weighted", "foresight")
    ]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(results_table(rows, [f"d/{name}" for name in names], "d/mae_kwh", "title", better="min"))
    lines = console.export_text().splitlines()
    for name in names:
        assert sum(line.split()[: len(name.split("_"))] == name.split("_") for line in lines) == 1


def test_markdown_has_the_same_numbers():
    lines = to_markdown(ROWS, ["d/f1", MAIN], MAIN).splitlines()
    assert lines[0] == "| | balanced accuracy | f1 |"
    assert lines[2] == "| weighted | .910 [.880, .940] | .900 |"
    assert lines[5] == "| chance | .167 | – |"


def test_the_report_is_scikit_learns():
    rng = np.random.default_rng(0)
    names = np.array(["a", "b", "c"])
    truth, predicted = names[rng.integers(0, 3, 90)], names[rng.integers(0, 2, 90)]
    report = classification_report(truth, predicted, list(names))
    reference = precision_recall_fscore_support(truth, predicted, labels=names, zero_division=0.0)
    for i, label in enumerate(names):
        assert list(report.values[label].values()) == pytest.approx([column[i] for column in reference])
    assert "macro average" in report.text


def test_every_figure_is_an_image_with_something_in_it(tmp_path):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 60)
    names = np.array(["a", "b", "c"])
    truth = names[rng.integers(0, 3, 60)]
    metrics = pd.DataFrame(
        {"epoch": [0, 1], "train/loss": [1.0, 0.5], "val/loss": [1.1, 0.7], f"val/{MAIN}": [0.4, 0.6]}
    )
    figures.comparison(ROWS, MAIN, tmp_path / "comparison.png")
    figures.training_curves(metrics, f"val/{MAIN}", tmp_path / "training.png")
    figures.confusion_matrix(truth, names[p.argmax(1)], list(names), tmp_path / "confusion.png")
    figures.reliability(p, truth, list(names), tmp_path / "reliability.png")
    for file in tmp_path.glob("*.png"):
        image = np.asarray(Image.open(file).convert("L"))
        assert image.min() < 100 < image.max()
        assert min(image.shape) > 150
    assert len(list(tmp_path.glob("*.png"))) == 4


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9123, ".912"), (-0.05, "-.050"), (0.99999, "1.000"), (1.0, "1.000"), (12.5, "12.500"), (10.05, "10.050")],
)
def test_numbers_are_short(value, text):
    assert short(value) == text


def test_the_drawn_calibration_error_is_the_metrics():
    torch, torchmetrics = pytest.importorskip("torch"), pytest.importorskip("torchmetrics.functional.classification")
    rng = np.random.default_rng(0)
    p = np.concatenate([rng.dirichlet(np.full(3, 0.5), 300), np.eye(3)])  # also quite certain ones
    truth = rng.integers(0, 3, len(p))
    bars = figures.calibration_bins(p, truth, 15)
    ours = (bars["samples"] * (bars["accuracy"] - bars["confidence"]).abs()).sum() / len(p)
    theirs = torchmetrics.multiclass_calibration_error(torch.tensor(p), torch.tensor(truth), 3, n_bins=15)
    assert bars["samples"].sum() == len(p)
    assert ours == pytest.approx(float(theirs), abs=1e-6)


def test_figures_of_what_is_partly_unknown(tmp_path):
    """A metric that was never logged, a class that nobody has, an error that is not between 0 and 1."""
    figures.training_curves(pd.DataFrame({"epoch": [0, 1], "train/loss": [1.0, np.nan]}), "val/x", tmp_path / "a.png")
    names = np.array(["a", "b"])
    figures.confusion_matrix(names[[0, 0]], names[[0, 1]], ["a", "b"], tmp_path / "b.png")
    rows = [Row("sum", "fused", {"t/mae": 12.5}, {"t/mae": (11, 14)}), Row("ct", "single", {"t/mae": 20.0})]
    figures.comparison(rows, "t/mae", tmp_path / "c.png")
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_figures_leave_the_users_style_alone(tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    figures.comparison(ROWS, MAIN, tmp_path / "c.png")
    assert dict(mpl.rcParams) == before
