"""Scores under every presence pattern, and over rates of absence."""

import numpy as np
import pandas as pd
import pytest
import torch

import flow
import tiny
from crossfade import experiment
from crossfade.analysis import absence_figure
from crossfade.analysis.patterns import (
    COMPLETE,
    ORDERS,
    modality_orders,
    pattern_shares,
    sampling_sd,
    scored_patterns,
)
from crossfade.analysis.scores import Scores
from crossfade.build import build_data, build_model
from crossfade.evaluation import absence, steps
from crossfade.evaluation.absence import RATES, score_patterns
from crossfade.evaluation.scored import score
from crossfade.runs import RunFolder
from crossfade.training.module import compute_metrics


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """An untrained model of three modalities and two targets, and data in which some modalities are absent."""
    folder = tmp_path_factory.mktemp("set")
    manifest = flow.data_set(folder)
    table = pd.read_csv(manifest)
    table.loc[::5, "scan"] = None
    table.loc[::7, "report"] = None
    table.to_csv(manifest, index=False)
    config = flow.config(manifest, "task.targets=[outcome,size]", "data.split=[0.4,0.1,0.5]")
    data = build_data(config)
    data.prepare()
    torch.manual_seed(0)
    return build_model(config, data.fitted).eval(), data


def test_patterns_are_all_subsets_the_fuller_first_and_of_many_modalities_the_telling_ones():
    for count in range(1, COMPLETE + 1):
        patterns = scored_patterns(count)
        assert len({tuple(row) for row in patterns}) == len(patterns) == 2**count - 1
        assert patterns.any(1).all()
        assert patterns[0].all()
        assert (np.diff(patterns.sum(1)) <= 0).all()
    many = scored_patterns(9)
    sizes = many.sum(1)
    assert (np.diff(sizes) <= 0).all()
    assert [int((sizes == k).sum()) for k in (1, 8, 9)] == [9, 9, 1]
    assert len({tuple(row) for row in many}) == len(many) <= 19 + 6 * ORDERS
    assert many.tolist() == scored_patterns(9).tolist()
    rows = {tuple(row) for row in many}
    for order in modality_orders(9):
        assert sorted(order) == list(range(9))
        for size in range(1, 9):
            assert tuple(np.isin(range(9), order[:size])) in rows


@pytest.mark.parametrize("count", [1, 2, 5])
def test_shares_of_the_patterns_at_a_rate_are_those_of_a_simulation(count):
    patterns, rng = scored_patterns(count), np.random.default_rng(0)
    drawn = rng.random((200_000, count)) >= 0.6
    drawn = drawn[drawn.any(1)]
    share = pattern_shares(patterns, 0.6)
    seen = [(drawn == pattern).all(1).mean() for pattern in patterns]
    np.testing.assert_allclose(share, seen, atol=0.005)
    assert share.sum() == pytest.approx(1)
    assert pattern_shares(patterns, 0.0).tolist() == [1.0] + [0.0] * (len(patterns) - 1)


def test_a_curve_over_sampled_patterns_is_that_over_all_within_its_error():
    """A score that is additive, with an interaction, over nine modalities."""
    weight = np.random.default_rng(3).normal(1, 0.5, 9)

    def score(patterns):
        return patterns @ weight + 2 * patterns[:, 0] * patterns[:, 1]

    every = np.array([[bool(p >> m & 1) for m in range(9)] for p in range(1, 2**9)])
    some = scored_patterns(9)
    for rate in (0.1, 0.4, 0.8):
        exact = pattern_shares(every, rate) @ score(every)
        sd = sampling_sd(some, score(some), rate)
        assert sampling_sd(every, score(every), rate) == 0
        assert 0 < sd < 0.2
        assert abs(pattern_shares(some, rate) @ score(some) - exact) < 3 * sd
    assert pattern_shares(some, 0.4).sum() == pytest.approx(1)


def test_the_error_of_sampled_patterns_is_that_of_many_samples():
    """Patterns of one size drawn anew and anew: the sd of the estimate is the one that is stated."""
    rng = np.random.default_rng(0)
    every = np.array([[bool(p >> m & 1) for m in range(8)] for p in range(1, 2**8)])
    of_four = every[every.sum(1) == 4]
    value = of_four @ rng.normal(size=8)
    estimates, stated = [], []
    for _ in range(2000):
        drawn = rng.choice(len(of_four), 20, replace=False)
        estimates.append(value[drawn].mean())
        stated.append(sampling_sd(of_four[drawn], value[drawn], 0.5))
    assert np.sqrt(np.mean(np.square(stated))) == pytest.approx(np.std(estimates), rel=0.05)


def test_a_pattern_scores_what_the_model_says_of_batches_with_those_modalities_absent(prepared):
    model, data = prepared
    found = score_patterns(model, data)
    full = score(model, data, "test")
    for row, pattern in enumerate(scored_patterns(3)):
        wanted = [
            {name: values[i].item() for name, values in scores.metrics.items()}
            for i, scores in [(row, found[name]) for name in ("outcome", "size")]
        ]
        batch = data.samples[data.split["test"].tolist()]
        kept = batch.presence & torch.from_numpy(pattern)
        some = kept.any(1)
        with torch.no_grad():
            outputs = model({k: v[some] for k, v in batch.inputs.items()}, kept[some])
        for name, values in zip(("outcome", "size"), wanted, strict=True):
            target = model.targets[name]
            truth = full.truth[name][some]
            assert found[name].samples[row] == target.known(truth).sum()
            for metric, value in compute_metrics(target, target.prediction(outputs[name]), truth).items():
                assert values[metric] == pytest.approx(value, abs=1e-6, nan_ok=True), (pattern, metric)
    for name in ("outcome", "size"):
        assert {f"{name}/{m}": v[0] for m, v in found[name].metrics.items()} == pytest.approx(
            {k: v for k, v in full.metrics.items() if k.startswith(name)}, abs=1e-6, nan_ok=True
        )


def test_each_modality_is_encoded_once_and_a_pattern_is_one_pass_of_the_core(prepared, monkeypatch):
    model, data = prepared
    calls, passes = [], []
    encode = type(model).encode
    monkeypatch.setattr(
        type(model), "encode", lambda self, name, *rest: calls.append(name) or encode(self, name, *rest)
    )
    hook = model.core.register_forward_hook(lambda core, inputs, output: passes.append(len(inputs[0])))
    score_patterns(model, data)
    hook.remove()
    batches = len(list(data.loader("test")))
    assert len(calls) == 3 * batches
    assert len(passes) == 2**3 - 1
    assert max(passes) == len(data.split["test"])


def test_a_strategy_that_unfolds_its_samples_is_given_few_at_once(monkeypatch):
    model = tiny.model(("camera", "note", "table"), "tfn", shared=True)
    tokens, mask = model.embed(tiny.inputs(("camera", "note", "table"), 50), torch.ones(50, 3, dtype=torch.bool))
    everything = torch.ones(3, dtype=torch.bool)
    given, rows = [], np.arange(50)
    with torch.no_grad():
        whole = absence.decided(model, tokens, mask, everything, rows)
        monkeypatch.setattr(steps, "NUMBERS", 7 * 9**3)
        hook = model.fusion.register_forward_hook(lambda fusion, inputs, output: given.append(len(inputs[0])))
        parts = absence.decided(model, tokens, mask, everything, rows)
    hook.remove()
    assert given == [7] * 7 + [1]
    for name in whole:
        torch.testing.assert_close(parts[name], whole[name])


def test_the_curve_begins_with_all_there_and_agrees_with_absences_drawn_at_random(prepared):
    model, data = prepared
    found = score_patterns(model, data)
    for scores in found.values():
        assert scores.curve["rate"].tolist() == list(RATES)
        assert scores.curve["value"][0] == pytest.approx(scores.full, abs=1e-5)
    rng = np.random.default_rng(1)
    batch = data.samples[data.split["test"].tolist()]
    target, drawn = model.targets["size"], []
    for _ in range(300):
        mask = torch.from_numpy(rng.random(batch.presence.shape) >= 0.5)
        some = mask.any(1) & (batch.presence & mask).any(1)
        with torch.no_grad():
            outputs = model({k: v[some] for k, v in batch.inputs.items()}, (batch.presence & mask)[some])
        each = target.per_sample(target.prediction(outputs["size"]), batch.truth["size"][some])
        drawn.append(each.numpy())
    simulated = np.concatenate(drawn).mean()
    assert found["size"].curve.set_index("rate")["value"][0.5] == pytest.approx(simulated, rel=0.02)


def test_of_very_many_patterns_the_figure_shows_the_telling_ones(tmp_path, monkeypatch):
    patterns = scored_patterns(7)
    value = patterns.sum(1) / 7.0
    scores = Scores(tuple("abcdefg"), "accuracy", "max", patterns, np.full(len(patterns), 9), {"accuracy": value})
    drawn, dots = [], absence_figure._dots
    monkeypatch.setattr(
        absence_figure, "_dots", lambda axes, there, names: drawn.append(there) or dots(axes, there, names)
    )
    absence_figure.draw_absence(scores.table(), None, "accuracy", {frozenset("a"): 0.5}, "max", tmp_path / "figure.png")
    assert sorted(drawn[0].sum(1)) == [1] * 7 + [6] * 7 + [7]


def test_a_modality_that_is_noise_is_not_missed_and_one_that_tells_all_is():
    patterns = scored_patterns(2)
    scores = Scores(
        ("a", "b"), "accuracy", "max", patterns, np.array([9, 9, 9]), {"accuracy": np.array([0.9, 0.9, 0.2])}
    )
    assert scores.drop == pytest.approx({"a": 0.7, "b": 0.0})
    lower = Scores(("a", "b"), "error", "min", patterns, np.array([9, 9, 9]), {"error": np.array([1.0, 2.0, 5.0])})
    assert lower.drop == pytest.approx({"a": 4.0, "b": 1.0})


def test_a_run_writes_the_patterns_and_the_figure_and_says_what_is_missed(tmp_path, capsys):
    manifest = flow.data_set(tmp_path)
    config = flow.config(manifest, "patterns=true")
    experiment.run(config, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    table, summary = folder.table("absence_outcome"), folder.summary()
    assert table[["labs", "note", "scan"]].iloc[0].tolist() == [1, 1, 1]
    assert len(table) == 7
    assert table["balanced_accuracy"][0] == pytest.approx(summary["metrics"]["outcome/balanced_accuracy"], abs=1e-6)
    kept = summary["absence"]["outcome/balanced_accuracy"]
    assert set(kept["drop"]) == {"labs", "note", "scan"}
    assert kept["area"] is not None
    assert (folder.figures / "absence_outcome.png").stat().st_size > 5000
    assert "outcome, without: " in capsys.readouterr().out


def test_a_drop_that_is_not_defined_has_no_number():
    patterns = scored_patterns(2)
    scores = Scores(
        ("a", "b"), "accuracy", "max", patterns, np.array([9, 9, 0]), {"accuracy": np.array([0.9, 0.8, np.nan])}
    )
    kept = absence.summary_of({"y": scores})["y/accuracy"]
    assert kept["drop"] == {"a": None, "b": pytest.approx(0.1)}
    assert kept["area"] is None
