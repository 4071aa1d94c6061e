"""The page of a run: complete, self-contained, and honest about a run that is not finished."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from markupsafe import Markup
from scipy import stats

import flow
from crossfade import experiment
from crossfade.analysis.results_table import short
from crossfade.batch import Batch
from crossfade.cli import run as command
from crossfade.report.budget import LARGEST
from crossfade.report.build import write_report
from crossfade.report.calibration import calibration_sections
from crossfade.report.cost import kept_for_backward, trained_size
from crossfade.report.shown import shown
from crossfade.report.vector import inline
from crossfade.runs import RunFolder
from crossfade.specs import ModalitySpec


class Page(HTMLParser):
    """Collects the page's words, its ids, what it would load from elsewhere, and checks that elements are closed."""

    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.ids, self.outside = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        values = dict(attrs)
        if "id" in values:
            self.ids.append(values["id"])
        for key in ("src", "href", "xlink:href"):
            if key in values and not values[key].startswith(("#", "data:")):
                self.outside.append(values[key])
        assert tag != "script"

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


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
    part = text[text.index("Where it goes wrong") :]
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
        ("series", np.full((12, 2), np.nan), "<polyline"),
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
