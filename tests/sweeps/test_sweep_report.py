"""The page of a sweep: what it says against known numbers, that it is whole, small and quick."""

from __future__ import annotations

import shutil
import time
import zlib

import numpy as np
import pandas as pd
import pytest

from crossfade.cli import run as command
from crossfade.errors import UserError
from crossfade.sweeps.jobs import read_jobs
from crossfade.sweeps.load import load_sweep, table_of
from crossfade.sweeps.report import report_of, sections
from crossfade.sweeps.report.build import Sweep, write_sweep_report
from crossfade.sweeps.report.factors import grid_of
from crossfade.sweeps.report.landscape_figure import draw_landscape, spread
from crossfade.sweeps.report.ranking import sentences
from crossfade.sweeps.report.tables import count
from page_text import Page
from sweep_folder import MAIN, base, job, summary, sweep

ALPHAS = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, "learned"]


def noise(seed, *key):
    return float(np.random.default_rng([seed, zlib.crc32(repr(key).encode())]).normal(0, 0.002))


def score(fusion, alpha, seed, width=64):
    """weighted peaks at α = .6; concat is as good as its peak; sum is far worse."""
    level = {"weighted": 0.85, "concat": 0.85, "sum": 0.70}[fusion]
    bend = 0.4 * (alpha - 0.6) ** 2 if isinstance(alpha, float) else 0.0
    return level - bend + 0.03 * np.sin(seed) + noise(seed, fusion, alpha, width)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("report") / "a 'sweep' & <more>"
    fusion = ["weighted", "concat", "sum"]
    sweep(place, fusion, ALPHAS, 6, score, singles={"a": 0.8, "b": 0.6}, rates=True)
    job(place / "900_fusion=max", base("fusion=max"), ["fusion=max"], None, error="RuntimeError: no <room>\nline 2")
    (place / "000_fusion=weighted,alpha=0.0,seed=0" / "report.html").write_text("a page")
    return place


def looked_at(path, metric=MAIN, better="max"):
    jobs = read_jobs(path)
    return Sweep(path, jobs, table_of(path, jobs), metric, better)


@pytest.fixture(scope="module")
def page(folder):
    return Page(write_sweep_report(folder).read_text(encoding="utf-8"))


def test_the_page_holds_every_part(page, folder):
    assert page.titles == [
        *("The α-landscape", "Ranking", "What matters", "When modalities are missing", "All settings"),
        *("Not finished", "Jobs", "To do it again"),
    ]
    assert "a 'sweep' & <more>" in page.text  # as words, not as markup
    assert "Of 55 jobs 1 failed" in page.text
    for word in (
        "FLOPs",
        "latency [ms]",
        "Bayes bound",
        "a alone",
        "learned α",
        "seed and fold",
        "critical difference",
    ):
        assert word in page.text
    assert "RuntimeError: no <room>" in page.text
    assert "python train.py fusion=max" in page.text
    assert "python train.py -m task=synthetic fusion=weighted,sum alpha=0.1,0.5" in page.text


def test_links_are_relative_and_lead_to_pages_where_there_are_any(page, folder, tmp_path):
    assert "000_fusion%3Dweighted%2Calpha%3D0.0%2Cseed%3D0/report.html" in page.links
    assert all(not link.startswith(("/", "http", "file:")) for link in page.links)
    assert len([link for link in page.links if not link.startswith("#")]) == 54 + 1
    elsewhere = write_sweep_report(folder, tmp_path / "deep" / "page.html")
    link = next(one for one in Page(elsewhere.read_text(encoding="utf-8")).links if one.endswith("report.html"))
    from urllib.parse import unquote

    assert (elsewhere.parent / unquote(link)).resolve().read_text() == "a page"


def test_the_table_and_the_text_stand_beside_it(page, folder):
    assert len(pd.read_csv(folder / "sweep.csv")) == len(load_sweep(folder)) == 55
    text = (folder / "sweep.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {row.count("|") for row in rows[:5]} == {11}
    assert rows[0].startswith("|  | balanced accuracy [95 %] | group |")
    assert "| weighted | .60 |" in text


def test_strategies_are_chosen_on_validation_and_tested_in_pairs(folder):
    sweep = looked_at(folder)
    names = [s.strategy for s in sweep.ranking.settings]
    assert sorted(names) == ["concat", "sum", "weighted"]
    assert names[-1] == "sum"
    assert sweep.ranking.by_validation
    letters = dict(zip(names, sweep.ranking.letters, strict=True))
    assert letters == {"weighted": ["a"], "concat": ["a"], "sum": ["b"]}
    said = list(sentences(sweep.ranking, sweep.single, sweep.pairs, "max"))
    assert "is not distinguishable from" in said[0]
    assert "It beats the other 1." in said[1]
    assert "the best single modality, a (0.800)" in said[2]


def test_what_is_best_on_the_test_splits_is_not_what_is_chosen(tmp_path):
    raw = base()
    for alpha, test, validation in ((0.2, 0.70, 0.90), (0.8, 0.95, 0.60)):
        fusion = {**raw["fusion"], "alpha": {"a": alpha, "b": 1 - alpha}}
        values = summary(test)
        told = ["fusion=weighted", f"alpha={alpha}"]
        job(tmp_path / f"0{int(10 * alpha)}_x", {**raw, "fusion": fusion}, told, values, validation)
    job(tmp_path / "09_fusion=sum", base("fusion=sum"), ["fusion=sum"], summary(0.8), 0.8)
    found = looked_at(tmp_path).ranking
    assert [s.label for s in found.settings] == ["sum", "weighted α=0.2"]
    for path in tmp_path.glob("*/metrics.csv"):
        path.unlink()
    sweep = looked_at(tmp_path)
    assert [s.label for s in sweep.ranking.settings] == ["weighted α=0.8", "sum"]
    assert not sweep.ranking.by_validation
    text = Page(write_sweep_report(tmp_path).read_text(encoding="utf-8")).text
    assert "What is chosen on the test splits looks better than it is." in text


def test_the_landscape_has_the_optimum_the_flat_range_and_what_was_learned(folder):
    (panel,) = looked_at(folder).landscape.panels
    (curve,) = panel.curves
    assert curve.best.alpha == 0.6
    assert (curve.best.low, curve.best.high) == (0.6, 0.6)
    assert curve.flat == (0.6, 0.6)  # at .4 and .8 it is .016 lower, the noise is .002
    assert curve.learned_alpha.mean == pytest.approx(0.6)
    assert [s.strategy for s in panel.levels] == ["concat", "sum"]
    assert (panel.single.label, panel.single.mean) == ("a alone", pytest.approx(0.8))
    assert panel.bound == 0.9
    e = curve.settings[0].estimate
    assert e.mean == pytest.approx(np.mean([score("weighted", 0.0, seed) for seed in range(6)]))


def test_the_best_alpha_is_a_line_where_it_is_known(tmp_path, folder):
    raw = base()
    for number, a in enumerate((0.2, 0.6)):
        point = {"a": a, "b": 1 - a}
        best = {m: {"value": v, "low": v - 0.01, "high": v + 0.01} for m, v in {"a": 0.638, "b": 0.362}.items()}
        config = {**raw, "fusion": {**raw["fusion"], "alpha": point}}
        job(tmp_path / f"{number:02d}_x", config, [f"alpha={a}"], summary(0.8, alpha=point, best_alpha=best))
    landscape = looked_at(tmp_path).landscape
    assert landscape.panels[0].best_alpha == 0.638
    draw_landscape(landscape, {"weighted": "#1f6feb"}, "accuracy", ["a", "b"], tmp_path / "landscape.svg")
    drawn = (tmp_path / "landscape.svg").read_text(encoding="utf-8")
    assert "best α, closed form: .638" in drawn
    assert np.isnan(looked_at(folder).landscape.panels[0].best_alpha)


def test_alpha_that_is_no_single_number_is_not_on_the_line(tmp_path):
    raw = base("task.modalities=[a,b,c]")
    for number, weights in enumerate(([0.2, 0.4, 0.4], [0.6, 0.2, 0.2], [0.2, 0.7, 0.1])):
        fusion = {**raw["fusion"], "alpha": dict(zip("abc", weights, strict=True))}
        values = summary(0.8, ["a", "b", "c"])
        job(tmp_path / f"{number:02d}_x", {**raw, "fusion": fusion}, [f"alpha={weights}"], values)
    sweep = looked_at(tmp_path)
    assert [len(curve.settings) for panel in sweep.landscape.panels for curve in panel.curves] == [2]
    assert sweep.landscape.off_line == 1
    assert sweep.settings[2].label == "weighted α=(.20, .70, .10)"


def test_what_matters_is_worked_out_on_the_full_grid(tmp_path):
    def parity(fusion, alpha, seed, width=64):
        return 0.8 + (0.1 if (alpha == 0.2) == (width == 32) else -0.1)

    sweep(tmp_path / "s", ["weighted", "sum"], [0.2, 0.8], 2, parity, {"width": [32, 64]})
    found = looked_at(tmp_path / "s")
    grid, note = grid_of(found.settings)
    assert grid.levels == {"α": [0.2, 0.8], "width": [32, 64]}
    assert {grid.named(s): pytest.approx(s.share) for s in grid.shares if s.share > 1e-9} == {"α × width": 1.0}
    assert "Without sum" in note
    assert np.allclose(grid.over("width", "α"), [[0.9, 0.7], [0.7, 0.9]])
    assert grid.foremost == ("α", "width")
    for gone in (tmp_path / "s").glob("*alpha=0.2,width=32*"):
        shutil.rmtree(gone)
    grid, note = grid_of(looked_at(tmp_path / "s").settings)
    assert grid is None
    assert "3 of 4 combinations" in note
    assert "No full grid" in Page(write_sweep_report(tmp_path / "s").read_text(encoding="utf-8")).text


def test_a_combination_that_failed_costs_its_level_and_not_the_whole_grid(tmp_path):
    def known(fusion, alpha, seed, width=64):
        return 0.8 - 0.1 * (alpha - 0.6) ** 2 + 0.01 * (width == 64)

    sweep(tmp_path / "s", ["weighted", "loglinear"], [0.2, 0.4, 0.6, 0.8], 2, known, {"width": [32, 64]})
    for gone in (tmp_path / "s").glob("*fusion=weighted,alpha=0.4,width=32*"):
        shutil.rmtree(gone)
    grid, note = grid_of(looked_at(tmp_path / "s").settings)
    assert grid.levels == {"fusion": ["weighted", "loglinear"], "α": [0.2, 0.6, 0.8], "width": [32, 64]}
    assert "Without α=0.4, where combinations have not finished." in note


def test_drawn_points_are_no_grid(tmp_path):
    path = tmp_path / "s"
    rng, raw = np.random.default_rng(0), base("fusion=sum")
    for i, (lr, decay, dropout) in enumerate(rng.random((60, 3))):
        told = [
            f"optim.lr={lr}",
            f"optim.weight_decay={decay}",
            f"core.dropout={dropout}",
            f"core.heads={2 ** (i % 3)}",
        ]
        job(path / f"{i:02d}_x", raw, ["fusion=sum", *told], summary(0.8))
    started = time.process_time()
    grid, note = grid_of(looked_at(path).settings)
    assert time.process_time() - started < 5
    assert grid is None
    assert "60 of 648000 combinations" in note


def test_whole_numbers_stay_whole_where_a_job_lacks_the_setting(tmp_path):
    sweep(tmp_path / "s", ["concat"], [None], 2, score, {"width": [32, 64]})
    job(tmp_path / "s" / "90_fusion=sum", base("fusion=sum"), ["fusion=sum"], None)
    assert [s.label for s in looked_at(tmp_path / "s").settings] == ["concat width=32", "concat width=64"]


def test_curves_over_absence_are_means_over_the_repeats(folder):
    sweep = looked_at(folder)
    (found,) = [c for c in sections.missing_of(folder, sweep.ranking.settings, "label") if c.setting.strategy == "sum"]
    mean = found.setting.mean
    assert [v.mean for v in found.values] == pytest.approx([mean - 0.3 * r for r in found.rate])
    assert found.area == pytest.approx(mean - 0.3 * 0.45)


def test_another_metric_and_one_of_which_less_is_better(folder, tmp_path):
    page = write_sweep_report(folder, tmp_path / "p.html", "calibration_error")
    text = Page(page.read_text(encoding="utf-8")).text
    assert "by calibration error of label, less is better" in text
    sweep = looked_at(folder, "label/calibration_error", "min")
    assert sweep.ranking.settings[-1].strategy == "sum"  # 1 − accuracy
    (panel,) = sweep.landscape.panels
    assert panel.curves[0].best.alpha == 0.6
    with pytest.raises(UserError, match=r'metric=acuracy.*Did you mean "accuracy"\? There are balanced_accuracy'):
        write_sweep_report(folder, tmp_path / "p.html", "acuracy")


def test_one_repeat_is_compared_on_its_samples(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    for number, (name, right) in enumerate((("sum", 0.9), ("max", 0.6))):
        folder = job(tmp_path / f"0{number}_x", base(f"fusion={name}"), [f"fusion={name}"], summary(right))
        said = np.where(rng.random(300) < right, truth, 1 - truth)
        ids = [f"P{i}" for i in range(300)]
        columns = {"id": ids, "group": ids, "label.truth": truth.astype(str), "label.predicted": said.astype(str)}
        folder.write_predictions("test", pd.DataFrame(columns))
    sweep = looked_at(tmp_path)
    assert sweep.ranking.letters == [["a"], ["b"]]
    assert "300 test samples" in sweep.verdicts[0]
    assert "beats max (0.600)" in sweep.verdicts[0]
    assert sweep.ranking.settings[0].estimate[:3] == (0.9, pytest.approx(0.86), pytest.approx(0.94))


def test_a_sweep_of_which_nothing_finished_has_a_page(tmp_path):
    job(tmp_path / "00_seed=0", base(), ["seed=0"], None)
    page = Page(write_sweep_report(tmp_path).read_text(encoding="utf-8"))
    assert "1 jobs, none of them finished" in page.text
    assert page.titles == ["Not finished", "Jobs", "To do it again"]


@pytest.mark.slow
def test_five_hundred_runs_are_quick_and_small(tmp_path):
    def many(fusion, alpha, seed, width=64, lr=0.003):
        bend = 0.4 * (alpha - 0.6) ** 2 if isinstance(alpha, float) else 0.0
        return 0.8 - bend + 0.001 * width / 32 + noise(seed, fusion, alpha, width, lr)

    alphas = [round(0.1 * i, 1) for i in range(11)]
    more = {"width": [32, 64], "optim.lr": [0.001, 0.003]}
    fusion = ["weighted", "loglinear", "concat", "sum", "max"]
    path = sweep(tmp_path / "s", fusion, alphas, 5, many, more, {"a": 0.7, "b": 0.6}, rates=True)
    assert len(list(path.iterdir())) == (2 * 11 + 3) * 4 * 5 == 500
    started = time.process_time()
    page = write_sweep_report(path)
    assert time.process_time() - started < 10
    assert page.stat().st_size < 2 * 2**20
    assert "500 jobs · 100 settings · 5 seeds" in Page(page.read_text(encoding="utf-8")).text


def test_the_command_says_what_is_wrong(folder, tmp_path, capsys):
    assert command("report", [f"run={folder}", f"sweep={folder}", "output=page.pdf"]) == 2
    said = capsys.readouterr().err
    assert "run= and sweep=: give one of them" in said
    assert "output=page.pdf: the page is HTML" in said
    assert command("report", []) == 2
    assert "Give run=logs/runs/… or sweep=logs/sweeps/…." in capsys.readouterr().err
    inside = folder / "001_fusion=weighted,alpha=0.0,seed=1"
    assert command("report", [f"sweep={inside}"]) == 2
    assert f"one run, and not a sweep. Its page: crossfade report run={inside}" in capsys.readouterr().err
    assert command("report", [f"sweep={tmp_path}"]) == 2
    assert "holds no jobs of a sweep" in capsys.readouterr().err
    assert command("report", [f"run={inside}", "metric=f1"]) == 2
    assert "metric: only for sweep=" in capsys.readouterr().err
    assert command("report", [f"sweep={folder}", "metric=nonsense", f"output={tmp_path / 'x.html'}"]) == 2
    assert "metric=nonsense: no run of the sweep has it." in capsys.readouterr().err
    assert command("report", [f"sweep={folder}", f"output={tmp_path / 'x.html'}"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "x.html")


def test_full_gives_each_finished_run_a_page(tmp_path, capsys, monkeypatch):
    def page_of(run, output):
        output.write_text(f"of {run.path.name}")
        return output

    monkeypatch.setattr("crossfade.report.build.write_report", page_of)
    path, raw = tmp_path / "s", base()
    for seed, values in enumerate([summary(0.8), summary(0.7), None]):
        job(path / f"0{seed}_seed={seed}", {**raw, "seed": seed}, [f"seed={seed}"], values)
    (path / "00_seed=0" / "report.html").write_text("its own")
    assert command("report", [f"sweep={path}", "full=true"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(path / "01_seed=1" / "report.html"), str(path / "report.html")]
    assert (path / "00_seed=0" / "report.html").read_text() == "its own"
    page = Page((path / "report.html").read_text(encoding="utf-8"))
    assert {link for link in page.links if "report.html" in link} == {f"0{i}_seed%3D{i}/report.html" for i in (0, 1)}


def test_at_the_end_of_a_sweep_a_fault_of_the_report_is_said_and_no_more(tmp_path, capsys, monkeypatch):
    report_of(tmp_path)
    assert "No report of the sweep" in capsys.readouterr().err
    job(tmp_path / "00_seed=0", base(), ["seed=0"], summary(0.8))
    report_of(tmp_path)
    assert str(tmp_path / "report.html") in capsys.readouterr().out
    monkeypatch.setattr(sections, "of_jobs", lambda *given: 1 / 0)
    report_of(tmp_path)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_labels_are_moved_apart_as_little_as_it_takes():
    assert spread([1.0, 5.0], 1.0) == [1.0, 5.0]
    assert spread([1.0, 1.0, 5.0], 1.0) == [0.5, 1.5, 5.0]
    assert spread([0.0, 0.2, 0.4], 1.0) == pytest.approx([-0.8, 0.2, 1.2])


@pytest.mark.parametrize(
    ("value", "text"),
    [(float("nan"), "–"), (987, "987"), (9876, "9,876"), (12345, "12.3 k"), (2.5e6, "2.5 M"), (3e9, "3 G")],
)
def test_counts_are_short(value, text):
    assert count(value) == text
