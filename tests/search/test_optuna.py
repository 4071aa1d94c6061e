"""`search=optuna` and `search=random` through the command line."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pandas as pd
import pytest

from crossfade.cli import run as command
from crossfade.config import RunConfig
from crossfade.errors import Pruned
from crossfade.runs import RunFolder
from crossfade.sweeps.ledger import Ledger
from test_cli import outcome

TASK = ("task=synthetic", "data.source.samples=60", "hydra.sweep.dir=mine")
ALPHA, LR = "alpha=interval(0,1)", "optim.lr=tag(log,interval(1e-4,1e-2))"


def bowl(config: RunConfig) -> float:
    """The best at α = .3 and lr = 10⁻³; a strategy without α has less."""
    alpha = config.fusion.get("alpha")
    off = 0.3 if alpha is None else (alpha["a"] - 0.3) ** 2
    return 0.9 - off - (math.log10(config.optim.lr) + 3) ** 2 / 10


def trials() -> pd.DataFrame:
    return pd.read_csv("mine/trials.csv")


@pytest.mark.parametrize("search", ["random", "optuna"])
def test_the_best_by_validation_is_named_with_its_command(search, faked, capsys) -> None:
    faked.validation = bowl
    faked.test = lambda config: 1 - bowl(config)  # the test split says the opposite, and is not asked
    assert outcome(f"search={search}", *TASK, ALPHA, LR, "fusion=weighted,sum", "search.trials=10") == 0
    shown = capsys.readouterr().out
    found = json.loads(Path("mine/search.json").read_text())
    table = trials()
    values = table["val/label/balanced_accuracy"]
    assert found["best"] == table.trial[values.idxmax()]
    for config, folder, _ in faked.calls:
        row = table[table.folder == folder.name].iloc[0]
        assert row["val/label/balanced_accuracy"] == pytest.approx(bowl(config))
    (best,) = [call for call in faked.calls if bowl(call[0]) == max(bowl(c) for c, _, _ in faked.calls)]
    typed = " ".join(text for text in best[2] if not text.startswith(("singles", "patterns")))
    assert f"Train it: crossfade train {typed}\n" in shown
    strategies = {"alpha" in config.fusion for config, _, _ in faked.calls}
    assert strategies == {True, False}  # α is idle in some, and breaks nothing
    assert outcome(*typed.split(), "hydra.run.dir=alone") == 0
    assert not any(c.singles or c.patterns for c, _, _ in faked.calls[:-1])


def test_tpe_comes_nearer_than_its_first_draws(faked) -> None:
    faked.validation = bowl
    assert outcome("search=optuna", *TASK, ALPHA, LR, "search.trials=30", "search.sampler=tpe") == 0
    values = trials()["val/label/balanced_accuracy"]
    assert values[15:].mean() > values[:10].mean() + 0.02
    assert values.max() > 0.89
    importance = json.loads(Path("mine/search.json").read_text())["importance"]
    assert set(importance) == {"alpha", "optim.lr"}
    assert sum(importance.values()) == pytest.approx(1)


@pytest.mark.parametrize("search", ["random", "optuna"])
def test_more_trials_go_on_with_the_same_search(search, faked, tmp_path) -> None:
    arguments = (f"search={search}", *TASK[:2], ALPHA)
    assert outcome(*arguments, "search.trials=3") == 0
    assert outcome(*arguments, "search.trials=5") == 0
    assert outcome(*arguments, "search.trials=5", "retry=true", "hydra/launcher=basic") == 0
    assert len(faked.calls) == 5
    (sweep,) = {folder.parent for _, folder, _ in faked.calls}
    assert len({config.fusion["alpha"]["a"] for config, _, _ in faked.calls}) == 5
    assert len(pd.read_csv(sweep / "trials.csv")) == 5


def test_an_interrupted_trial_goes_on_in_its_folder(faked, capsys) -> None:
    train = faked.run

    def stop(config: RunConfig, folder: Path, overrides: list[str]) -> None:
        if len(faked.calls) == 2:
            with RunFolder(folder).running():
                faked.calls.append((config, folder, overrides))
                raise KeyboardInterrupt
        train(config, folder, overrides)

    faked.run = stop
    arguments = ("search=optuna", *TASK, ALPHA, "search.trials=4")
    assert outcome(*arguments) == 130
    faked.run = train
    assert command("sweep", ["resume", "mine"]) == 0
    assert "Going on with interrupted trials: 2" in capsys.readouterr().out
    folders = [folder.name for _, folder, _ in faked.calls]
    assert folders[2] == folders[3]
    assert len(set(folders)) == 4
    assert list(trials().state) == ["finished"] * 4


def test_equal_points_are_one_run(faked) -> None:
    assert outcome("search=optuna", *TASK, "fusion=weighted,sum", "search.trials=6") == 0
    assert len(faked.calls) == 2
    assert list(trials().state) == ["finished"] * 6


def test_a_failed_trial_is_counted_and_tried_again_on_request(faked, capsys) -> None:
    def broken(config: RunConfig) -> float:
        if config.fusion["alpha"]["a"] < 0.6:
            raise ValueError("boom")
        return 0.5

    faked.validation = broken
    arguments = ("search=optuna", *TASK, ALPHA, "search.trials=4")
    assert outcome(*arguments) == 1
    lost = int((trials().state == "failed").sum())
    assert 0 < lost < 4
    assert "ValueError: boom" in capsys.readouterr().out
    faked.validation = lambda config: 0.5
    assert outcome(*arguments, "retry=true") == 0
    assert len(faked.calls) == 4 + lost
    assert list(trials().state) == ["finished"] * 4


def test_invalid_points_fail_alone(faked, capsys) -> None:
    arguments = ("search=optuna", *TASK, "width=8,9", "fusion=attention", "fusion.heads=4", "search.trials=6")
    assert outcome(*arguments) == 1
    assert "fusion.heads=4: must divide width=9" in capsys.readouterr().out
    assert {config.width for config, _, _ in faked.calls} == {8}


def test_when_all_trials_are_pruned(faked, capsys) -> None:
    def prune(config: RunConfig) -> float:
        raise Pruned("pruned after epoch 1 of 10, at 0.5")

    faked.validation = prune
    assert outcome("search=optuna", *TASK, ALPHA, "search.trials=3", "search.pruner=median") == 1
    assert "no trial came to its end (3 pruned), so there is no best one. Take search.pruner=none" in " ".join(
        capsys.readouterr().err.split()
    )
    assert {entry.state for entry in Ledger.open(Path("mine")).entries()} == {"pruned"}


def test_several_objectives_have_a_front(faked, capsys) -> None:
    faked.validation = lambda config: {8: 0.5, 16: 0.7, 32: 0.6}[config.width]  # 32 is dearer and worse than 16
    arguments = ("search=optuna", *TASK, "width=8,16,32", "search.trials=12", "search.objectives=[metric,parameters]")
    assert outcome(*arguments) == 0
    found = json.loads(Path("mine/search.json").read_text())
    widths = {int(t["width"]) for t in found["trials"] if t["trial"] in found["front"]}
    assert widths == {8, 16}
    assert "Pareto front" in capsys.readouterr().out


def test_optuna_is_an_extra(faked, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert outcome("search=optuna", *TASK, ALPHA) == 2
    assert 'pip install "crossfade[search]"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["search=optuna", ALPHA, "search.sampler=tpee"], 'Did you mean "tpe"?'),
        (["search=optuna", ALPHA, "search.trials=0"], "search.trials=0: must be at least 1"),
        (["search=random", ALPHA, "search.trials=0"], "search.trials=0: must be at least 1"),
        (["search=optuna", "seed=0,1"], "a search would choose the luckiest"),
        (["search=optuna", "alpha=interval(0,2)"], "alpha=2: outside the simplex"),
        (["search=random", ALPHA, "fusion=sum,max"], "fusion=sum has no α"),
        (["search=optuna", ALPHA, "fusion=sum"], "fusion=sum has no α"),
        (["search=optuna", "optim.lr=interval(-1,1)"], "optim.lr=-1"),
        (["search=optuna"], "nothing varies, so there is nothing to search"),
        (["search=optuna", ALPHA, "search.objectives=[latency]"], "the cheapest model would be the best"),
        (["search=optuna", ALPHA, "search.objectives=[metric,speed]"], "must be a list of some of metric, latency"),
        (["search=optuna", ALPHA, "folds=3", "search.pruner=median"], "with folds=3 a trial is several trainings"),
        (
            ["search=optuna", ALPHA, "search.pruner=median", "hydra/launcher=vectorized"],
            "a stack trains its jobs to the end",
        ),
        (["search=optunna", ALPHA], 'Did you mean "optuna"?'),
        (["search=optuna,random", ALPHA], "a sweep has one search"),
        ([ALPHA], "Draw from it with search=random or search=optuna"),
        (["-m", ALPHA], "Draw from it with search=random or search=optuna"),
        (["search=grid", ALPHA], "search=grid needs a list"),
    ],
)
def test_mistakes_are_said_before_the_first_trial(settings, message, faked, capsys) -> None:
    assert outcome(*TASK, *settings) == 2
    assert message in capsys.readouterr().err
    assert not faked.calls


def test_grid_is_what_many_jobs_are(faked) -> None:
    assert outcome("search=grid", *TASK, "fusion=weighted,sum", "seed=0,1") == 0
    assert [folder.name for _, folder, _ in faked.calls] == [
        "00_fusion=weighted,seed=0",
        "01_fusion=weighted,seed=1",
        "02_fusion=sum,seed=0",
        "03_fusion=sum,seed=1",
    ]
    assert not any("search" in text for _, _, given in faked.calls for text in given)


def test_a_search_is_no_part_of_a_runs_identity() -> None:
    from crossfade.config import compose, effective

    assert effective(compose("search=optuna")) == effective(compose())


@pytest.mark.slow
def test_trials_in_local_processes_are_pruned_and_measured(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py"])
    small = (
        "data.source.samples=400",
        "data.source.law=gaussian",
        "width=8",
        "trainer.epochs=4",
        "hydra/launcher=local",
    )
    rate = "optim.lr=tag(log,interval(1e-6,1e-1))"
    own = ("search=optuna", "search.pruner=median", "search.trials=12", "search.sampler=random")
    assert outcome(*own, *TASK, *small, "hydra.launcher.workers=1", rate) == 0
    table = trials()
    pruned = table[table.state == "pruned"]
    assert 0 < len(pruned) < 7  # the first five are never
    for name in pruned.folder:
        run = RunFolder(Path("mine") / name)
        assert run.status().state == "pruned"
        assert run.status().error.startswith("pruned after epoch")
        assert not run.summary_file.exists()
        assert len(run.metrics()) < 4
    best = table["val/label/balanced_accuracy"].idxmax()
    assert table.state[best] == "finished"


@pytest.mark.slow
def test_latency_is_measured_on_the_trained_model(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py"])
    own = ("search=optuna", "search.trials=2", "search.objectives=[metric,latency,flops]", "width=16,64")
    assert outcome(*own, *TASK, "trainer.epochs=1", "search.sampler=nsga2") == 0
    table = trials()
    assert (table.latency > 0).all()
    assert table.flops[table.width == 64].min() > table.flops[table.width == 16].max() or table.width.nunique() == 1
