"""The pages that searches end with: what they say against known numbers, of whole searches and of stopped ones."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest

from crossfade.cli import run as command
from crossfade.config import RunConfig
from crossfade.errors import Pruned
from crossfade.runs import RunFolder
from crossfade.search.page.found import Found, found_in
from crossfade.search.page.nested import Nested
from crossfade.search.trials import Trial, front_of
from crossfade.search.validation import Judge
from crossfade.sweeps.jobs import read_jobs, remembered
from crossfade.sweeps.report.build import write_sweep_report
from crossfade.sweeps.report.parallel_figure import Axis
from crossfade.sweeps.report.subject import Subject
from page_text import Page
from test_cli import outcome

pytestmark = pytest.mark.usefixtures("pages")
TASK = ("task=synthetic", "data.source.samples=200", "hydra.sweep.dir=mine")
NESTED = ("search=cv_alpha", *TASK, "search.alphas=[0.2,0.4,0.6]", "search.inner=3")
ALPHA, LR = "alpha=interval(0,1)", "optim.lr=tag(log,interval(1e-4,1e-2))"


def page() -> Page:
    return Page(Path("mine/report.html").read_text(encoding="utf-8"))


def subject(wanted: str | None = None) -> Subject:
    path = Path("mine")
    return Subject(path, read_jobs(path), wanted, path / "drawn", path / "report.html")


def nested() -> Nested:
    looked = subject()
    assert looked.metric is not None
    return Nested(looked, remembered(looked.path, "search"), looked.metric)


def found() -> Found:
    return found_in(subject(), remembered(Path("mine"), "search"))


def peak(config: RunConfig) -> float:
    """The best α is .2 in fold 0 and .6 in fold 1; outer scores are .05 lower than inner ones."""
    best = {0: 0.2, 1: 0.6, None: 0.4}[config.data.fold]
    inner = config.data.inner_fold
    level = 0.9 - (config.fusion["alpha"]["a"] - best) ** 2 + 0.02 * config.seed
    return level - 0.05 if inner is None else level + 0.01 * inner


def bowl(config: RunConfig) -> float:
    """The best at α = .3 and lr = 10⁻³; a strategy without α has less."""
    alpha = config.fusion.get("alpha")
    off = 0.3 if alpha is None else (alpha["a"] - 0.3) ** 2
    return 0.9 - off - (math.log10(config.optim.lr) + 3) ** 2 / 10


def test_nested_alpha_inner_curves_and_outer_scores_are_apart(faked, capsys) -> None:
    faked.test = peak
    assert outcome(*NESTED, "folds=2", "seed=0,1") == 0
    assert "Report:       mine/report.html" in capsys.readouterr().out
    looked = nested()
    said = json.loads(Path("mine/search.json").read_text())
    assert [split.choice.alpha for split in looked.splits] == [one["alpha"] for one in said["splits"]] == [0.2, 0.6] * 2
    for split, one in zip(looked.splits, said["splits"], strict=True):
        assert split.scores == pytest.approx(np.array(one["scores"]))
        assert split.outer == pytest.approx(one["outer"])
    (setting,) = looked.outer.settings
    assert len(setting.test) == 4  # 36 inner runs are not among them
    assert setting.estimate.mean == pytest.approx(said["outer"][""]["mean"])
    assert [setting.estimate.low, setting.estimate.high] == pytest.approx(said["outer"][""]["interval"])
    (panel,) = looked.landscape.landscape.panels
    (curve,) = panel.curves
    assert list(curve.alpha) == [0.2, 0.4, 0.6]
    means = [np.mean([s.scores[i].mean() for s in looked.splits]) for i in range(3)]
    assert [e.mean for e in curve.estimates] == pytest.approx(means)
    assert curve.learned.mean == pytest.approx(setting.mean)
    assert curve.learned_alpha.mean == pytest.approx(0.4)
    text = page().text
    assert page().titles[:3] == ["α chosen inside, scored outside", "The inner landscape", "All settings"]
    assert "weighted: balanced accuracy .860" in text
    assert "The inner mean of the chosen α, .920, is not: it is the best of 3" in text
    assert "4 of 4" in text
    assert "Of 40 jobs" not in text


def test_nested_strategies_are_ranked_by_their_outer_scores_alone(faked) -> None:
    def score(config: RunConfig) -> float:
        inner = config.data.inner_fold is not None
        better = "loglinear" if inner else "weighted"  # inside the other one is ahead
        return peak(config) + (0.03 if better in config.fusion["_target_"].lower() else 0.0)

    faked.test = score
    assert outcome(*NESTED, "folds=2", "seed=0,1", "fusion=weighted,loglinear") == 0
    looked = nested()
    assert [s.strategy for s in looked.outer.ranking.settings] == ["weighted", "loglinear"]
    assert "Ranking" in page().titles
    assert "weighted (balanced accuracy 0.890)" in page().text


def test_nested_one_outer_split_has_its_inner_folds_as_repeats(faked) -> None:
    faked.test = peak
    assert outcome(*NESTED) == 0
    looked = nested()
    (split,) = looked.splits
    assert (split.label, split.choice.alpha) == ("seed 0", 0.4)
    (panel,) = looked.landscape.landscape.panels
    assert {len(s.test) for s in panel.curves[0].settings} == {3}
    assert "over its test groups" in page().text


def test_nested_and_stopped_it_says_so_and_shows_what_there_is(faked, capsys) -> None:
    faked.test = peak
    train = faked.run

    def stop(config: RunConfig, folder: Path, overrides: list[str]) -> None:
        if len(faked.calls) == 13:
            raise KeyboardInterrupt
        train(config, folder, overrides)

    faked.run = stop
    assert outcome(*NESTED, "folds=2") == 130
    assert "To see what there is: crossfade report sweep=mine" in capsys.readouterr().out
    assert command("report", ["sweep=mine"]) == 0
    assert [split.choice is None for split in nested().splits] == [False, True]
    text = page().text
    assert "The search has not come to its end. To go on: crossfade sweep resume mine" in text
    assert "1 of 2 outer splits lack inner scores" in text
    assert "No outer run has finished: there is no score to report yet." in text
    assert "4 of 9 inner scores" in text


def test_nested_with_nothing_finished(faked) -> None:
    def boom(config: RunConfig) -> float:
        raise ValueError("boom <here>")

    faked.test = boom
    assert outcome(*NESTED) == 1
    assert "none of its 9 jobs finished" in page().text
    assert "ValueError: boom <here>" in page().text


@pytest.mark.parametrize("search", ["random", "optuna"])
def test_trials_with_their_test_score_and_what_is_optimistic(search, faked, capsys) -> None:
    faked.validation = bowl
    faked.test = lambda config: 1 - bowl(config)
    assert outcome(f"search={search}", *TASK, ALPHA, LR, "fusion=weighted,sum", "search.trials=12") == 0
    assert "Report:       mine/report.html" in capsys.readouterr().out
    said = json.loads(Path("mine/search.json").read_text())
    looked = found()
    assert looked.ranked[0].number == said["best"]
    assert looked.importance == pytest.approx(said["importance"])
    rows = {row["trial"]: row for row in said["trials"]}
    for trial in looked.trials:
        assert trial.values["metric"] == pytest.approx(rows[trial.number]["val/label/balanced_accuracy"])
        assert trial.params["optim.lr"] == pytest.approx(rows[trial.number]["optim.lr"])
    best = looked.ranked[0]
    text = page().text
    top = best.values["metric"]
    assert f"Trial {best.number} has the best validation balanced accuracy, {f'{top:.3f}'[1:]}" in text
    assert "chosen by it, and so optimistic: do not report it" in text
    assert f"took no part in the choice, is {f'{1 - top:.3f}'[1:]} [.200, .300]" in text
    assert page().titles[:4] == ["Trials", "The best one again", "What matters", "All trials"]
    typed = " ".join(best.given)
    assert "singles" not in typed
    assert f"crossfade train {typed}" in text.replace("'", "")


def test_another_metric_than_the_searched_one_is_refused(faked, capsys) -> None:
    assert outcome("search=random", *TASK, ALPHA, "search.trials=2") == 0
    assert command("report", ["sweep=mine", "metric=accuracy"]) == 2
    assert "a search is looked at by what it searched by, val/label/balanced_accuracy" in capsys.readouterr().err


def test_pruned_and_failed_trials_are_marked(faked) -> None:
    def some(config: RunConfig) -> float:
        alpha = config.fusion["alpha"]["a"]
        if alpha > 0.7:
            raise ValueError("boom")
        if alpha < 0.3:
            folder = faked.calls[-1][1]
            RunFolder(folder).metrics_file.write_text("epoch,step,val/label/balanced_accuracy\n0,1,0.3\n")
            raise Pruned("pruned after epoch 1 of 10, at 0.3")
        return alpha

    faked.validation = some
    assert outcome("search=random", *TASK, ALPHA, "search.trials=12") == 1
    looked = found()
    pruned = [trial.number for trial in looked.trials if trial.state == "pruned"]
    assert dict.fromkeys(pruned, 0.3) == looked.last
    assert looked.count("failed") > 0
    text = page().text
    assert f"finished, {len(pruned)} pruned, {looked.count('failed')} failed" in text
    assert "pruned, its best epoch" in text
    assert f"Of 12 jobs {looked.count('failed')} failed: see the end of this page." in text


def test_a_search_without_a_finished_trial_has_a_page(faked) -> None:
    def prune(config: RunConfig) -> float:
        raise Pruned("pruned after epoch 1 of 10, at 0.5")

    faked.validation = prune
    assert outcome("search=optuna", *TASK, ALPHA, "search.trials=3", "search.pruner=median") == 1
    assert "No trial has finished, so there is no best one. All were pruned" in page().text
    assert page().titles == ["All trials", "Jobs", "To do it again"]


@pytest.mark.parametrize("search", ["random", "optuna"])
def test_a_search_that_was_killed_shows_what_there_is(search, faked) -> None:
    """search.json is as a kill leaves it: of an earlier batch, or not there."""
    faked.validation = bowl
    train = faked.run

    def stop(config: RunConfig, folder: Path, overrides: list[str]) -> None:
        if len(faked.calls) == 4:
            raise KeyboardInterrupt
        train(config, folder, overrides)

    faked.run = stop
    assert outcome(f"search={search}", *TASK, ALPHA, LR, "search.trials=9") == 130
    assert Path("mine/search.json").exists() == (search == "optuna")
    assert command("report", ["sweep=mine"]) == 0
    looked = found()
    assert [trial.state for trial in looked.trials[:4]] == ["finished"] * 4
    assert [t.values["metric"] for t in looked.done] == pytest.approx([bowl(config) for config, _, _ in faked.calls])
    assert "5 of 9 trials are still to do. To go on: crossfade sweep resume mine" in page().text


def test_several_objectives_have_their_front_drawn(faked) -> None:
    faked.validation = lambda config: {8: 0.5, 16: 0.7, 32: 0.6}[config.width]
    settings = ("width=8,16,32", "search.trials=12", "search.objectives=[metric,parameters]")
    assert outcome("search=optuna", *TASK, *settings) == 0
    assert {trial.params["width"] for trial in found().front} == {"8", "16"}
    assert "What it costs" in page().titles


def test_the_front_is_optunas() -> None:
    optuna = pytest.importorskip("optuna")
    rng = np.random.default_rng(0)
    study = optuna.create_study(directions=["maximize", "minimize"])
    points = rng.integers(0, 6, (40, 2)).astype(float)
    for values in points:
        study.add_trial(optuna.trial.create_trial(values=list(values)))
    trials = [Trial(i, "finished", {}, {"metric": a, "latency": b}) for i, (a, b) in enumerate(points)]
    assert front_of(trials, Judge("val/x", "max")) == sorted(trial.number for trial in study.best_trials)


def test_one_diverged_trial_does_not_flatten_the_others() -> None:
    values = [0.8, 0.81, 0.82, 0.83, 0.84, 900.0]
    trials = [Trial(i, "finished", {}, {"metric": value}) for i, value in enumerate(values)]
    low, high = Found(trials, {}, Judge("val/loss", "min"), None, {}).fences  # type: ignore[arg-type]
    assert low == 0.8
    assert 0.84 < high < 1.0


def test_an_axis_of_many_numbers_is_a_scale() -> None:
    values = [10 ** (-4 + 2 * i / 19) for i in range(20)]
    axis = Axis(values, log=True)
    assert [axis.height(v) for v in (1e-4, 1e-3, 1e-2)] == pytest.approx([0, 0.5, 1])
    assert [text for _, text in axis.ticks()] == ["0.0001", "0.001", "0.01"]
    few = Axis(["weighted", "sum"], log=False)
    assert [few.height("sum"), next(few.ticks())] == [1.0, (0.0, "weighted")]


@pytest.mark.slow
def test_five_hundred_trials_are_quick_and_small(faked) -> None:
    faked.validation = bowl
    settings = (ALPHA, LR, "fusion=weighted,loglinear", "width=8,16,32")
    assert outcome("search=random", *TASK, *settings, "search.trials=500") == 0
    started = time.process_time()
    write_sweep_report(Path("mine"))
    assert time.process_time() - started < 10
    assert Path("mine/report.html").stat().st_size < 2 * 2**20
