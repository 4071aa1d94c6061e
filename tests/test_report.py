"""The page of a run: complete, self-contained, and honest about a run that is not finished."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image
from scipy import stats

import flow
from crossfade import experiment
from crossfade.analysis.metric_names import printed_metric
from crossfade.analysis.results_table import short
from crossfade.batch import Batch
from crossfade.cli import run as command
from crossfade.drawing import save
from crossfade.report.budget import ELEMENT, FIGURE, LARGEST, ROWS, fitted, laid
from crossfade.report.build import write_report
from crossfade.report.calibration import calibration_sections
from crossfade.report.cost import kept_for_backward, trained_size
from crossfade.report.figures import own_figures
from crossfade.report.mistakes import mistakes
from crossfade.report.section import Section
from crossfade.report.shown import shown
from crossfade.report.vector import inline
from crossfade.runs import RunFolder, Status
from crossfade.specs import ModalitySpec
from page_text import Page


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    manifest = flow.data_set(folder, samples=90)
    settings = ("singles=true", "patterns=true", "trainer.epochs=2", "name='<b>mine</b> & yours'")
    experiment.run(flow.config(manifest, *settings), folder / "run", ["seed=0"])
    return RunFolder(folder / "run")


def test_the_page_holds_all_that_the_run_found_and_loads_nothing(run):
    path = write_report(run, run.path / "report.html")
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    assert len(html.encode()) < LARGEST
    assert page.outside == []
    assert len(page.ids) == len(set(page.ids))
    assert html.count("<svg") >= 8
    assert "<b>mine</b> & yours" in page.text  # as words, not as markup
    summary = run.summary()
    for name in ("outcome", "size"):
        assert f" {name} " in page.text
    for label in ("weighted", "labs", "note", "scan", "chance"):
        assert label in page.text
    for sentence in run.verdicts():
        assert sentence in page.text
    assert f"{summary['samples']['test']:,}" in page.text
    for word in (
        "FLOPs a sample",
        "parameters",
        "latency",
        "memory, a training step",
        "To do it again",
        "balanced accuracy",
        "commit",
    ):
        assert word in page.text


def test_mistakes_are_the_surest_wrong_ones_with_what_was_shown(run):
    table = run.predictions("test")
    wrong = table[table["outcome.truth"] != table["outcome.predicted"]]
    assert len(wrong)
    classes = [c for c in table if c.startswith("outcome.p(")]
    surest = wrong.loc[wrong[classes].max(axis=1).idxmax(), "id"]
    text = Page(write_report(run, run.path / "report.html").read_text(encoding="utf-8")).text
    part = text[text.index("what it was shown.") :]
    assert part.index(surest) < 60
    assert "the patient has" in part
    assert "age" in part


def test_of_a_run_that_is_not_finished_it_shows_what_there_is(tmp_path, run):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(run.path, other, ignore=shutil.ignore_patterns("*.lock"))
    for name in ("summary.json", "status.json"):
        (other / name).unlink()
    page = Page(write_report(RunFolder(other), other / "report.html").read_text(encoding="utf-8"))
    assert "not finished (status: not started)" in page.text
    assert "Go on with it: resume=" in page.text
    assert "epochs finished 2" in page.text
    assert "The whole config" in page.text
    failed = Status.of_this_process().ending("failed", "ValueError: <loss> is NaN")
    failed.save(other / "status.json")
    (other / "run.log").write_text("".join(f"line {i} <b>\n" for i in range(100)))
    page = Page(write_report(RunFolder(other), other / "report.html").read_text(encoding="utf-8"))
    assert "(status: failed at " in page.text
    assert "It ended with: ValueError: <loss> is NaN" in page.text
    assert "line 99 <b>" in page.text
    assert "line 69 <b>" not in page.text


def test_a_run_that_failed_before_its_first_epoch_has_a_page(tmp_path, run):
    folder = tmp_path / "early"
    folder.mkdir()
    for name in ("config.yaml", "overrides.txt", "environment.json"):
        shutil.copy(run.path / name, folder / name)
    Status.of_this_process().ending("failed", "MemoryError").save(folder / "status.json")
    assert command("report", [f"run={folder}", "full=true"]) == 0
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert "It ended with: MemoryError" in page.text
    assert "The whole config" in page.text
    assert "Training" not in page.text


def test_a_cross_validation_has_a_page_too(tmp_path):
    config = flow.config(flow.data_set(tmp_path), "folds=2", "trainer.epochs=1", "task.targets=[outcome]")
    experiment.run(config, tmp_path / "run")
    page = Page(write_report(RunFolder(tmp_path / "run"), tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "Means of 2 folds" in page.text
    assert "95 % interval over folds" in page.text
    folds = [RunFolder(tmp_path / "run" / f"fold_{k}").summary() for k in range(2)]
    main = folds[0]["main"]
    values = [fold["metrics"][main] for fold in folds]
    share = np.mean([fold["samples"]["test"] / fold["samples"]["train"] for fold in folds])
    half = stats.t.ppf(0.975, 1) * np.sqrt((1 / 2 + share) * np.var(values, ddof=1))
    found = RunFolder(tmp_path / "run").summary()["interval"]
    assert found == pytest.approx([np.mean(values) - half, np.mean(values) + half])


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("image", np.random.default_rng(0).normal(size=(2, 40, 60)), "channel 1 of 2"),
        ("image", np.full((1, 8, 8), np.nan), "<img "),
        ("text", "a < b & c " + "x" * 400, "a &lt; b &amp; c"),
        ("table", {"age": 61.0, "sex": "f", "crp": None, "<": float("nan")}, "age 61 · sex f"),
        ("audio", np.sin(np.arange(5000)), "<polyline"),
        ("series", np.full((12, 2), np.nan), "2 channels, 12 s"),
        ("series", np.zeros((7200, 6)), "the first 4 of 6 channels, 2 h"),
        ("points", np.zeros((7, 4)), "7 points"),
        ("points", np.zeros((0, 4)), "no points"),
        ("note", None, "absent"),
    ],
)
def test_a_value_of_any_kind_can_be_looked_at(kind, value, found):
    fields = {
        "audio": {"rate": 100},
        "series": {"rate": 1},
        "table": {"column": ["age"]},
        "points": {"extent": (-1, 1, -1, 1)},
    }
    known = kind if kind != "note" else "text"
    html = shown(ModalitySpec(name="x", kind=known, **fields.get(known, {})), value)
    assert isinstance(html, Markup)
    assert found in html
    assert "<q>a < b" not in html


def test_ids_of_two_figures_do_not_meet(tmp_path):
    (tmp_path / "a.svg").write_text(
        '<?xml version="1.0"?><svg><metadata>x</metadata><defs><path id="p1"/></defs><use xlink:href="#p1"/>'
        '<g clip-path="url(#p1)"/></svg>'
    )
    html = inline(tmp_path / "a.svg")
    assert html == ('<svg><defs><path id="a-0"/></defs><use href="#a-0"/><g clip-path="url(#a-0)"/></svg>')


def test_a_heavy_figure_becomes_its_picture(tmp_path):
    """Of 4,000 marks the picture that stands beside them says the same in a tenth of the bytes."""
    rng = np.random.default_rng(0)
    for marks in (40, 4000):
        figure = Figure(figsize=(5, 3))
        figure.subplots().scatter(*rng.normal(size=(2, marks)), s=4)
        save(figure, tmp_path / f"{marks}.svg")
    assert inline(tmp_path / "40.svg").startswith("<svg")
    heavy = inline(tmp_path / "4000.svg")
    assert heavy.startswith('<img class="drawn" alt="" width="480" height="288"')  # 5 × 3 inches of 96
    assert len(heavy) < FIGURE < (tmp_path / "4000.svg").stat().st_size


def test_what_does_not_fit_is_left_out_in_a_declared_order_and_said():
    """Tables, then figures, then examples; the first of each section before the second of any."""

    def section(title, figures, pieces, rows=2):
        return laid(
            Section(
                title,
                figures=[(f"figure {i} of {title}", Markup("f" * 1000)) for i in range(figures)],
                headings=["h"],
                rows=[["c"]] * rows,
                pieces=[Markup("p" * 1000)] * pieces,
                where=f"{title}.csv",
            )
        )

    page = [section("a", 3, 2), section("b", 1, 1), section("long", 0, 0, rows=ROWS + 7)]
    all_of_it = fitted(page, 10**6)
    assert all_of_it == page
    assert [one.left for one in page] == ["", "", f"The first {ROWS} of {ROWS + 7} rows; all of it: long.csv."]
    tables = sum(len(one.blocks[0].html) + ELEMENT for one in page)
    figure = len(page[0].blocks[1].html) + ELEMENT
    kept = fitted(page, tables + 3 * figure)  # both first figures and a's second
    assert [[block.sort for block in one.blocks] for one in kept] == [
        ["table", "figure", "figure"], ["table", "figure"], ["table"]
    ]  # fmt: skip
    assert "figure 1 of a" in kept[0].blocks[2].html
    assert kept[0].left == "Left out, to keep this page below 1 MB: 1 figure, 2 samples; all of it: a.csv."
    assert kept[1].left == "Left out, to keep this page below 1 MB: 1 sample; all of it: b.csv."
    assert all(not one.blocks for one in fitted(page, 0))


def test_a_heavy_run_has_a_page_below_the_limit_all_the_same(run, tmp_path):
    """Figures of noise and a table without end: 1.6 MB of figures alone."""
    folder = tmp_path / "heavy"
    shutil.copytree(run.path, folder)
    rng = np.random.default_rng(0)
    for i in range(8):
        noise = rng.integers(0, 256, (420, 600, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "figures" / f"outcome_{i}.png")
    marks = [(m, f"<{c}>", s) for m in "abcd" for c in range(30) for s in range(1, 6)]
    rows = [("", "clean", 0), ("", "chance", 0), ("a", "absent", 0), ("b", "absent", 0), *marks]
    table = pd.DataFrame(rows, columns=["modality", "corruption", "severity"])
    table = table.assign(metric="balanced_accuracy", value=rng.random(len(table)), low=np.nan, high=np.nan)
    table.to_csv(folder / "robustness_outcome.csv", index=False)
    html = write_report(RunFolder(folder), folder / "report.html").read_text(encoding="utf-8")
    assert 700_000 < len(html.encode()) <= LARGEST
    page = Page(html)
    assert re.search(
        r"Left out, to keep this page below 1 MB: \d figures?; all of it: figures/, predictions/", page.text
    )
    assert f"The first {ROWS} of 126 rows; all of it: robustness_outcome.csv." in page.text
    for word in ("Results", "Missing modalities", "Where it goes wrong", "FLOPs a sample", "The whole config"):
        assert word in page.text


def test_a_figure_belongs_to_the_target_with_the_longest_name(tmp_path):
    for name in ("plan", "plan_b", "plan_b_map", "plan_map", "planning"):
        (tmp_path / "figures").mkdir(exist_ok=True)
        (tmp_path / "figures" / f"{name}.png").touch()
    found = {t: list(own_figures(RunFolder(tmp_path), t, ["plan", "plan_b"])) for t in ("plan", "plan_b")}
    assert found == {"plan": ["", "map"], "plan_b": ["", "map"]}


@pytest.mark.parametrize(
    ("columns", "main", "first", "truth", "said"),
    [
        ({"truth": ["a", "b", "a"], "predicted": ["b", "b", "b"], "p(a)": [0.4, 0.1, 0.2], "p(b)": [0.6, 0.9, 0.8]},
         "balanced_accuracy", "C", "a", "b"),
        ({"truth": ["a|b", "b", None], "predicted": ["a|b", None, "a"], "p(a)": [0.9, 0.3, 0.9], "p(b)": [0.9, 0.2, 0]},
         "f1", "B", "b", "not b (.20)"),
        ({"dice": [0.5, 0.2, 0.9]}, "dice", "B", "", "Dice .200"),
        ({"dice(x)": [0.5, 0.2, 0.9], "dice(y)": [0.5, 0.9, None]}, "dice", "A", "", "Dice .500"),
        ({"truth": [1.0, 2.0, None], "predicted": [1.5, 0.0, 9.0]}, "mae", "B", "2", "0"),
        ({"truth_kwh": [1.0, 2.0, 3.0], "predicted_kwh": [1.5, 2.0, 9.0]}, "mae_kwh", "C", "3 kWh", "9 kWh"),
        ({"truth[verb]": ["on", "off", None], "predicted[verb]": ["on", "on", "on"],
          "truth[room]": ["hall", "hall", None], "predicted[room]": ["hall", "attic", "hall"]},
         "exact_match", "B", "verb: off, room: hall", "verb: on, room: attic"),
        ({"truth[car]": [1.0, 0.0, 2.0], "predicted[car]": [1, 2, 1]}, "mean_ap", "B", "car 0", "car 2"),
        ({"truth": [1, 0, 1], "score": [0.9, 0.8, 0.1]}, "auroc", "C", "yes", "score .100"),
    ],
)  # fmt: skip
def test_what_is_most_wrong_comes_first_whatever_the_kind(columns, main, first, truth, said):
    table = pd.DataFrame({"id": list("ABC"), **{f"t.{one}": of for one, of in columns.items()}, "t2.dice": 0.0})
    row = mistakes(table, "t", main, "max").rows.iloc[0]
    assert (row["id"], row["truth"], row["said"]) == (first, truth, said)
    assert mistakes(table, "other", main, "max") is None


@pytest.mark.parametrize(
    ("metric", "unit", "printed"),
    [
        ("t/balanced_accuracy", "", "balanced accuracy"),
        ("brier_ade", "m", "Brier ADE [m]"),
        ("mae_kwh", "", "MAE [kWh]"),
        ("hd95_mm_lesion", "", "HD95 lesion [mm]"),
        ("accuracy_l2_1s", "m", "accuracy L2 1 s [m]"),
        ("time_to_detection_s", "", "time to detection [s]"),
    ],
)
def test_names_of_metrics_are_printed_with_their_units(metric, unit, printed):
    assert printed_metric(metric, unit) == printed


def test_what_is_kept_for_the_backward_pass_is_counted_once():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Linear(4, 8), torch.nn.Linear(8, 2)

        def forward(self, inputs, presence):
            return self.second(torch.tanh(self.first(2 * inputs["x"])))

    batch = Batch(inputs={"x": torch.randn(5, 4)}, presence=torch.ones(5, 1, dtype=bool), truth={}, ids=[], features={})
    # 2x for the first layer's weight; tanh's output, for its own derivative and the second layer's weight: float32
    assert kept_for_backward(Net(), batch) == 4 * (5 * 4 + 5 * 8)
    frozen = Net().requires_grad_(False)
    assert kept_for_backward(frozen, batch) == 0
    assert trained_size(frozen) == 0
    assert trained_size(Net()) == 4 * (4 * 8 + 8 + 8 * 2 + 2)


def test_calibration_stands_there_before_and_after_its_temperature(run):
    (section,) = calibration_sections(run, ["outcome", "size"], {})
    table = run.table("certainty_outcome")
    assert (section.title, section.of) == ("Calibration", "outcome")
    assert [row[0] for row in section.rows] == ["all modalities", "without labs", "without note", "without scan"]
    full, without = table.iloc[0], table[(table["note"] == 0) & (table["labs"] + table["scan"] == 2)].iloc[0]
    for row, values in ((section.rows[0], full), (section.rows[2], without)):
        assert row[1] == short(values["temperature"])
        assert row[6] == short(values["brier"])
        assert row[8].startswith(short(values["coverage"]))
    page = Page(write_report(run, run.path / "report.html").read_text(encoding="utf-8")).text
    assert "Calibration Whether a probability" in page
    assert "the truth in 90% of the samples" in page


def test_a_figure_loses_what_nobody_sees(tmp_path):
    (tmp_path / "a.svg").write_text(
        '<?xml version="1.0"?>\n<svg width="460.8pt">\n <!-- a comment\n -->\n'
        ' <path d="M 1.234567 -0.00001234 L 20 3.5\n"/>\n'
        " <g id=\"axes_1\"><text style=\"font: 9px; font-family: 'DejaVu Sans', 'Arial', sans-serif\">x</text></g>"
        ' <text>0.123 of\n 7.1234567</text>\n <image xlink:href="data:image/png;base64,\niVBO/Rw0KG+"/>\n</svg>\n'
    )
    html = inline(tmp_path / "a.svg")
    assert '<path d="M 1.23 0 L 20 3.5 "/>' in html
    assert "comment" not in html
    assert "<g><text style=\"font: 9px; font-family: 'DejaVu Sans', sans-serif\">x</text></g>" in html
    assert "base64, iVBO/Rw0KG+" in html  # blanks in base64 are skipped
    assert ">0.123 of 7.1234567</text>" in html  # a digit less there is another number
    assert "\n" not in html


def test_the_command_says_what_is_wrong(capsys, run, tmp_path):
    assert command("report", ["run=nowhere", "output=page.pdf"]) == 2
    said = capsys.readouterr().err
    assert "output=page.pdf: the page is HTML" in said
    assert "run=nowhere" in said
    assert command("report", [f"run={run.path}", f"output={tmp_path / 'page.html'}"]) == 0
    assert (tmp_path / "page.html").exists()


def test_a_full_page_has_what_nobody_asked_for_before(run, tmp_path, capsys):
    """`full=true` stresses and explains first, and only what is not there yet."""
    folder = tmp_path / "copy"
    shutil.copytree(run.path, folder)
    assert command("report", [f"run={folder}", "full=true", f"output={tmp_path / 'page.html'}"]) == 0
    assert list(folder.glob("robustness_*.csv"))
    shown = capsys.readouterr()
    text = Page((tmp_path / "page.html").read_text()).text
    assert "Corrupted inputs" in text
    assert ("Where it looks" in text) != ("Not explained" in shown.err)
    stamps = {path: path.stat().st_mtime_ns for path in folder.rglob("*.csv")}
    assert command("report", [f"run={folder}", "full=true", f"output={tmp_path / 'again.html'}"]) == 0
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
