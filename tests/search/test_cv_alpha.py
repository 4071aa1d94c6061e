"""`search=cv_alpha` through the command line; what is chosen and reported is computed beside it."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crossfade.analysis.statistics import corrected_t
from crossfade.build import build_data
from crossfade.config import RunConfig
from crossfade.data.known.channel import optimal_alpha
from crossfade.model import FusionModel
from crossfade.sweeps.ledger import Ledger
from test_cli import outcome

SMALL = ("search=cv_alpha", "task=synthetic", "data.source.samples=200", "hydra.sweep.dir=mine")
ONE_COLUMN = (
    "data.source.law=gaussian",
    "modality.a.column=[a1]",
    "modality.b.column=[b1]",
    "modality.a.unit={a1: '1'}",
    "modality.b.unit={b1: '1'}",
)


def alpha_of(config: RunConfig) -> float:
    return config.fusion["alpha"]["a"]


def peak(config: RunConfig) -> float:
    """Scores with their peak at .2 in fold 0, at .6 in fold 1, and a little noise by inner fold."""
    best = {0: 0.2, 1: 0.6, None: 0.4}[config.data.fold]
    noise = 0.01 * (config.data.inner_fold or 0)
    return 0.9 - (alpha_of(config) - best) ** 2 + noise


def test_alpha_is_chosen_within_each_outer_fold_and_scored_outside(faked, capsys) -> None:
    faked.test = peak
    assert outcome(*SMALL, "folds=2", "seed=0,1", "search.alphas=[0.2,0.4,0.6]", "search.inner=3") == 0
    inner, outer = faked.calls[:36], faked.calls[36:]
    assert {(c.seed, c.data.fold, c.data.inner_fold, c.data.inner_folds, alpha_of(c)) for c, _, _ in inner} == {
        (s, f, j, 3, a) for s in (0, 1) for f in (0, 1) for j in range(3) for a in (0.2, 0.4, 0.6)
    }
    assert not any(c.singles or c.patterns for c, _, _ in inner)
    assert [(c.seed, c.data.fold, c.data.inner_fold, alpha_of(c), c.singles) for c, _, _ in outer] == [
        (0, 0, None, 0.2, True),
        (0, 1, None, 0.6, True),
        (1, 0, None, 0.2, True),
        (1, 1, None, 0.6, True),
    ]
    assert outer[0][2] == ["task=synthetic", "data.source.samples=200", "folds=2", "seed=0", "data.fold=0", "alpha=0.2"]
    found = json.loads(Path("mine/search.json").read_text())
    values = [0.9] * 4
    assert found["outer"][""]["mean"] == pytest.approx(statistics.fmean(values))
    assert [one["alpha"] for one in found["splits"]] == [0.2, 0.6, 0.2, 0.6]
    table = pd.read_csv("mine/cv_alpha.csv")
    assert len(table) == 12
    assert table[table.chosen].outer.notna().all()
    first = table[(table.fold == 0) & (table.alpha == 0.4)].iloc[0]
    assert [first.inner_0, first.inner_1, first.inner_2] == pytest.approx([0.86, 0.87, 0.88])
    assert first["mean"] == pytest.approx(0.87)
    assert first.se == pytest.approx(0.01 / 3**0.5)
    shown = capsys.readouterr().out
    assert "4 outer splits × 3 α × 3 inner folds: 36 inner jobs, then 4 outer ones" in shown
    assert "label/balanced_accuracy 0.900 ± 0.000 (sd)" in shown
    assert len(Ledger.open(Path("mine")).entries()) == 40


def test_the_outer_interval_allows_for_overlapping_training_sets(faked) -> None:
    scores = {0: 0.7, 1: 0.8, 2: 0.75}
    faked.test = lambda config: scores[config.data.fold] if config.data.inner_fold is None else alpha_of(config)
    assert outcome(*SMALL, "folds=3", "search.alphas=[0.5,1.0]", "search.inner=2") == 0
    (found,) = json.loads(Path("mine/search.json").read_text())["outer"].values()
    expected = corrected_t([0.7, 0.8, 0.75], 20 / 80)
    assert found["sd"] == pytest.approx(0.05)
    assert found["interval"] == pytest.approx([expected.low, expected.high])


def test_the_fixed_split_and_several_settings(faked, capsys) -> None:
    faked.test = peak
    assert outcome(*SMALL, "fusion=weighted,loglinear", "search.alphas=[0.0,0.4,1.0]", "search.inner=2") == 0
    assert len(faked.calls) == 2 * 6 + 2
    shown = capsys.readouterr().out
    assert "fusion=loglinear: label/balanced_accuracy 0.900 [0.200, 0.300], over the outer test set" in shown


def test_the_same_command_goes_on_where_it_stopped(faked) -> None:
    faked.test = peak
    train = faked.run

    def stop(config: RunConfig, folder: Path, overrides: list[str]) -> None:
        if len(faked.calls) == 3:
            raise KeyboardInterrupt
        train(config, folder, overrides)

    faked.run = stop
    arguments = (*SMALL[:-1], "search.alphas=[0.2,0.4]", "search.inner=2")
    assert outcome(*arguments) == 130
    faked.run = train
    assert outcome(*arguments) == 0
    assert len(faked.calls) == 2 * 2 + 1
    assert len({folder for _, folder, _ in faked.calls}) == 5


def test_a_failed_inner_run_leaves_its_outer_split_without_a_score(faked, capsys) -> None:
    def score(config: RunConfig) -> float:
        if config.data.fold == 1 and config.data.inner_fold == 0 and alpha_of(config) == 0.4:
            raise ValueError("boom")
        return peak(config)

    faked.test = score
    assert outcome(*SMALL, "folds=2", "search.alphas=[0.2,0.4]", "search.inner=2") == 1
    shown = capsys.readouterr().out
    assert "1 of 2 outer splits have no score" in shown
    assert "boom" in shown
    assert [one["fold"] for one in json.loads(Path("mine/search.json").read_text())["splits"]] == [0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["fusion=weighted,sum,gmu"], "fusion=gmu,sum: has no α to choose"),
        (["alpha=0.3"], "alpha=0.3: search=cv_alpha chooses α itself"),
        (["alpha=0.1,0.3"], "alpha=0.1,0.3: search=cv_alpha chooses α itself"),
        (["search.alphas=[0.5]"], "must be a list of two or more different numbers in [0, 1]"),
        (["search.inner=1"], "search.inner=1: must be at least 2"),
        (["search.inner=170"], "too few for as many folds"),
        (["search.iner=3"], 'search.iner: unknown key. Did you mean "inner"?'),
        (["optim.lr=interval(0.001,0.1)"], "search=cv_alpha needs a list. Draw from it with search=random"),
    ],
)
def test_mistakes_are_said_before_the_first_job(settings, message, faked, capsys) -> None:
    assert outcome(*SMALL, *settings) == 2
    assert message in capsys.readouterr().err
    assert not faked.calls


def test_on_the_gaussian_law_it_finds_the_closed_form(faked) -> None:
    """The sign of α t₁ + (1 − α) t₂ on the test rows of each run's own split; nothing else is put in."""

    known: dict[int | None, tuple[np.ndarray, np.ndarray]] = {}  # the test rows of each inner fold, once read

    def accuracy(config: RunConfig) -> float:
        fold = config.data.inner_fold
        if fold not in known:
            data = build_data(config)
            read = [data.source.read(i) for i in range(len(data.frame.ids))]
            seen = np.array([[row["a"]["a1"], row["b"]["b1"]] for row in read])
            rows = data.dealt()["test"]
            known[fold] = (seen / seen.std(0))[rows], np.array([int(y) for y in data.frame.truth["label"]])[rows]
        t, y = known[fold]
        guess = (alpha_of(config) * t[:, 0] + (1 - alpha_of(config)) * t[:, 1]) > 0
        return float((guess == y).mean())

    faked.test = accuracy
    assert outcome(*SMALL, *ONE_COLUMN, "data.source.samples=6000") == 0
    sigma = np.array([1.0, 1.5])
    best = optimal_alpha(sigma) * np.sqrt(1 + sigma**2)
    (split,) = json.loads(Path("mine/search.json").read_text())["splits"]
    assert abs(split["alpha"] - best[0] / best.sum()) <= 0.1


@pytest.mark.slow
def test_with_frozen_equal_encoders_real_runs_find_the_closed_form(tmp_path, monkeypatch) -> None:
    import torch

    from crossfade.training import fit as training

    build = training.build_model

    def even_and_frozen(*arguments) -> FusionModel:
        """One frozen linear map for both, so flat that the normalisation acts linearly (docs/tasks/synthetic.md)."""
        model = build(*arguments)
        with torch.no_grad():
            model.encoders["a"].weight.mul_(0.1)
        model.encoders["b"].load_state_dict(model.encoders["a"].state_dict())
        model.embeddings["b"].load_state_dict(model.embeddings["a"].state_dict())
        model.encoders.requires_grad_(False)
        model.embeddings.requires_grad_(False)
        return model

    monkeypatch.setattr(training, "build_model", even_and_frozen)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py"])
    quick = ("width=16", "trainer.epochs=4", "data.batch_size=64", "singles=false", "patterns=false")
    alphas = "search.alphas=[0.0,0.2,0.4,0.6,0.8,1.0]"
    assert outcome(*SMALL, *ONE_COLUMN, "data.source.samples=4000", alphas, "search.inner=2", *quick) == 0
    (split,) = json.loads(Path("mine/search.json").read_text())["splits"]
    assert abs(split["alpha"] - 0.638) <= 0.2
    held = set(pd.read_csv(f"mine/{split['folder']}/predictions/test.csv").id)
    inner = [p for p in Path("mine").glob("*/predictions/test.csv") if p.parts[1] != split["folder"]]
    assert len(inner) == 12
    assert not any(held & set(pd.read_csv(path).id) for path in inner)
