"""Shapley values: the axioms, games whose values are known, and those of a run."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flow
import laws
from crossfade import experiment
from crossfade.analysis.patterns import ORDERS, modality_orders, scored_patterns
from crossfade.analysis.scores import Scores
from crossfade.analysis.shapley import interactions, sampled_values, shapley_values, shares_of, write_shares
from crossfade.analysis.shapley_figure import draw_shares
from crossfade.evaluation.absence import score_patterns
from crossfade.runs import RunFolder


def game(modalities, value):
    """Patterns, v of each, and v of nothing, from a function of the set that is there."""
    patterns = scored_patterns(modalities)
    return patterns, np.array([value(frozenset(np.flatnonzero(row))) for row in patterns]), np.array(value(frozenset()))


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_values_are_the_mean_contribution_over_all_orders_and_sum_to_the_whole(modalities, seed):
    rng = np.random.default_rng(seed)
    table = {}
    patterns, worth, nothing = game(modalities, lambda s: table.setdefault(s, rng.normal(size=3)))
    found = shapley_values(patterns, worth, nothing)
    wanted = np.zeros((modalities, 3))
    orders = list(permutations(range(modalities)))
    for order in orders:
        for place, m in enumerate(order):
            wanted[m] += (table[frozenset(order[: place + 1])] - table[frozenset(order[:place])]) / len(orders)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    np.testing.assert_allclose(found.sum(0), worth[patterns.all(1)][0] - nothing, atol=1e-6)


def test_games_whose_values_and_interactions_are_known():
    # what only both tell is shared, and is synergy; what either tells is shared, and is redundancy
    both, either, alone = (
        game(3, lambda s: float({0, 1} <= s)),
        game(3, lambda s: float(bool({0, 1} & s))),
        game(3, lambda s: 2.0 * (0 in s) + 0.5 * (2 in s)),
    )
    np.testing.assert_allclose(shapley_values(*both), [0.5, 0.5, 0], atol=1e-12)
    np.testing.assert_allclose(shapley_values(*either), [0.5, 0.5, 0], atol=1e-12)
    np.testing.assert_allclose(shapley_values(*alone), [2, 0, 0.5], atol=1e-12)
    pair = np.zeros((3, 3))
    pair[0, 1] = pair[1, 0] = 1
    np.testing.assert_allclose(interactions(*both), pair, atol=1e-12)
    np.testing.assert_allclose(interactions(*either), -pair, atol=1e-12)
    np.testing.assert_allclose(interactions(*alone), 0 * pair, atol=1e-12)


@pytest.mark.parametrize(
    ("law", "fusion", "wanted", "together"),
    [
        ("xor", "product", [0.25, 0.25], 0.5),
        ("unique", "concat", [0.5, 0.0], 0.0),
        ("copy", "concat", [0.25, 0.25], -0.5),
    ],
)
def test_of_a_learned_law_the_values_are_known(law, fusion, wanted, together):
    """All knowledge is worth 1/2: of xor each bit has half of it and both are synergy; of unique the first has all;
    of copy each has half, and both are redundancy."""
    shares = shares_of(score_patterns(*laws.trained(law, fusion))["label"])
    assert shares.mean() == pytest.approx(wanted, abs=0.03)
    assert np.nanmean(shares.interactions[0, 1]) == pytest.approx(together, abs=0.04)


def every_pattern(modalities):
    return np.array([[bool(p >> m & 1) for m in range(modalities)] for p in range(1, 2**modalities)])


def test_values_from_all_orders_are_the_exact_ones():
    rng = np.random.default_rng(0)
    patterns, worth, nothing = every_pattern(4), rng.normal(size=(15, 6)), rng.normal(size=6)
    first = [order for order in permutations(range(4)) if order[0] < order[-1]]  # the other half are their reverses
    orders = np.array([*first, *(order[::-1] for order in first)])
    found, _ = sampled_values(patterns, worth, nothing, orders)
    np.testing.assert_allclose(found, shapley_values(patterns, worth, nothing), atol=1e-12)


def test_values_of_many_modalities_are_close_to_the_exact_ones_and_sum_to_the_whole():
    """Nine modalities, a worth with interactions: within the stated error, and exact where it is additive."""
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(9, 40))

    def worth_of(patterns):
        return patterns @ weight + 3.0 * (patterns[:, :4].sum(1) >= 2)[:, None]

    every, some = every_pattern(9), scored_patterns(9)
    nothing = np.zeros(40)
    exact = shapley_values(every, worth_of(every), nothing)
    found, sd = sampled_values(some, worth_of(some), nothing, modality_orders(9))
    np.testing.assert_allclose(found.sum(0), worth_of(some)[0], atol=1e-9)
    np.testing.assert_allclose(found[4:], exact[4:], atol=1e-9)
    np.testing.assert_allclose(sd[4:], 0, atol=1e-9)
    assert (sd[:4] > 0).all()
    assert (np.abs(found.mean(1) - exact.mean(1)) < 3 * sd + 1e-9).all()


def test_of_many_modalities_the_table_says_that_its_values_are_estimates(tmp_path):
    patterns = scored_patterns(8)
    worth = np.random.default_rng(0).normal(size=(len(patterns), 12))
    metrics = {"accuracy": worth.mean(1)}
    scores = Scores(tuple("abcdefgh"), "accuracy", "max", patterns, np.full(len(patterns), 12), metrics)
    scores.worth, scores.worth_of_nothing, scores.worth_is = worth, np.zeros(12), "probability of the true class"
    shares = shares_of(scores)
    assert shares.orders == ORDERS
    assert shares.interactions is None
    samples = [str(i) for i in range(12)]
    kept = write_shares(RunFolder(tmp_path), {"y": scores}, samples, samples)
    assert kept["y"]["of"] == f"probability of the true class, estimated from {ORDERS} orders"
    table = RunFolder(tmp_path).table("shapley_y")
    assert table.columns.tolist() == ["modality", "value", "low", "high", "sampling_sd"]
    assert not (tmp_path / "shapley_pairs_y.csv").exists()
    draw_shares(table, None, kept["y"]["of"], tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapley")
    manifest = flow.data_set(folder, samples=120)
    table = pd.read_csv(manifest)
    table.loc[::6, "report"] = None
    table.to_csv(manifest, index=False)
    experiment.run(flow.config(manifest, "patterns=true", "trainer.epochs=8"), folder / "run")
    return RunFolder(folder / "run")


def test_a_runs_values_sum_to_what_its_predictions_are_worth_above_chance(run):
    predictions, each = run.predictions("test"), run.table("shapley_samples_outcome")
    assert each["id"].tolist() == predictions["id"].tolist()
    target = run.fitted()["targets"]["outcome"]
    chance = dict(zip(target["classes"], np.array(target["counts"]) / sum(target["counts"]), strict=True))
    for row, truth in enumerate(predictions["outcome.truth"]):
        whole = predictions[f"outcome.p({truth})"][row]
        assert each[["labs", "note", "scan"]].iloc[row].sum() == pytest.approx(whole - chance[truth], abs=1e-6)
    mean = run.table("shapley_outcome").set_index("modality")
    np.testing.assert_allclose(mean["value"], each[["labs", "note", "scan"]].mean(), atol=1e-9)
    assert ((mean["low"] <= mean["value"]) & (mean["value"] <= mean["high"])).all()


def test_a_modality_that_a_sample_lacks_is_worth_nothing_to_it(run):
    manifest = pd.read_csv(run.path.parent / "set.csv").set_index("id")
    each = run.table("shapley_samples_outcome").set_index("id")
    lacking = manifest.loc[each.index, "report"].isna()
    assert lacking.any()
    assert each.loc[lacking, "note"].abs().max() < 1e-9


def test_of_a_number_the_worth_is_the_negative_error_and_the_figure_is_drawn(run):
    assert run.summary()["shapley"]["size"]["of"] == "negative mae"
    predictions, each = run.predictions("test"), run.table("shapley_samples_size")
    mean = run.fitted()["targets"]["size"]["mean"][0]
    gained = (predictions["size.truth"] - mean).abs() - (
        predictions["size.truth"] - predictions["size.predicted"]
    ).abs()
    np.testing.assert_allclose(each[["labs", "note", "scan"]].sum(axis=1), gained, atol=1e-5)
    for name in ("outcome", "size"):
        assert (run.figures / f"shapley_{name}.png").stat().st_size > 5000


def test_the_perceptual_scores_stand_beside_them(run):
    for name, of in (("outcome", "accuracy"), ("size", "negative mae")):
        table, kept = run.table(f"perceptual_{name}"), run.summary()["perceptual"][name]
        assert table["modality"].tolist() == ["labs", "note", "scan"]
        assert kept["of"] == of
        assert kept["values"]["scan"]["value"] == pytest.approx(table["value"][2])
        assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()
