"""Two models on the same samples, and the sentence about them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from crossfade.analysis.area import area_replicates
from crossfade.analysis.intervals import replicates
from crossfade.analysis.paired import compare_tables, mean_difference, only_one_right, resampled_difference
from crossfade.analysis.statistics import Compared
from crossfade.analysis.verdict import caution, verdict

CLASSES = np.array(["ill", "well"])


def table(skill, seed=1, samples=300):
    """Predictions of two classes; the truth of every tenth sample is unknown."""
    truth = np.random.default_rng(0).integers(0, 2, samples)
    score = truth + np.random.default_rng(seed).normal(size=samples) / skill
    p = 1 / (1 + np.exp(-4 * (score - 0.5)))
    return pd.DataFrame(
        {
            "id": [f"s{i}" for i in range(samples)],
            "group": [f"g{i // 2}" for i in range(samples)],
            "y.truth": np.where(np.arange(samples) % 10 == 0, None, CLASSES[truth]),
            "y.predicted": CLASSES[(p > 0.5).astype(int)],
            "y.p(ill)": 1 - p,
            "y.p(well)": p,
            "y.mae": np.abs(score - truth),
        }
    )


def test_balanced_accuracy_is_that_of_the_known_samples():
    a, b = table(2.0), table(0.7, seed=2)
    known = a["y.truth"].notna()
    expected = [balanced_accuracy_score(t.loc[known, "y.truth"], t.loc[known, "y.predicted"]) for t in (a, b)]
    found = compare_tables(a, b, "y", "balanced_accuracy", multiclass=True)
    assert found.value == pytest.approx(expected[0] - expected[1])
    assert found.low > 0
    assert found.p < 0.01


def test_samples_that_only_one_has_right_are_counted_where_each_is_a_trial_of_its_own():
    a, b = (t.assign(group=t["id"]) for t in (table(2.0), table(0.7, seed=2)))
    known = a["y.truth"].notna()
    of_a, of_b = ((t["y.predicted"] == t["y.truth"])[known] for t in (a, b))
    only_a, only_b, p = only_one_right(a, b, "y")
    assert (only_a, only_b) == ((of_a & ~of_b).sum(), (of_b & ~of_a).sum())
    assert p == pytest.approx(stats.binomtest(int(only_a), int(only_a + only_b)).pvalue)
    assert only_one_right(table(2.0), table(0.7, seed=2), "y") is None  # two samples a group


def test_auroc_of_two_classes():
    a, b = table(2.0), table(0.7, seed=2)
    known = a["y.truth"].notna()
    areas = [roc_auc_score(t.loc[known, "y.truth"] == "well", t.loc[known, "y.p(well)"]) for t in (a, b)]
    assert compare_tables(a, b, "y", "auroc", multiclass=True).value == pytest.approx(areas[0] - areas[1])


def test_auroc_of_samples_in_groups_counts_groups_and_not_samples():
    """Every sample four times says no more than once: DeLong's test would be twice as sure."""
    once = [table(skill, seed).assign(group=[f"g{i}" for i in range(300)]) for skill, seed in ((1.1, 1), (0.9, 2))]
    four = [pd.concat([t] * 4, ignore_index=True).assign(id=[f"s{i}" for i in range(1200)]) for t in once]
    alone = compare_tables(*once, "y", "auroc", multiclass=True, draws=4000)
    copied = compare_tables(*four, "y", "auroc", multiclass=True, draws=4000)
    assert copied.value == pytest.approx(alone.value)
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high), abs=0.1 * (alone.high - alone.low))
    assert copied.p == pytest.approx(alone.p, rel=0.3)


def test_auroc_of_three_classes_in_each_draw_is_scikit_learns():
    rng = np.random.default_rng(0)
    label = rng.permutation(np.arange(60) % 3)
    p = rng.dirichlet(np.ones(3), 60).round(1) + np.eye(3)[label] * 0.2  # with ties
    groups = np.arange(60) // 2
    found = area_replicates(label, p, groups, 20, seed=4)
    assert found[0] == pytest.approx(one_against_the_rest(label, p))
    weights = np.random.default_rng(4).multinomial(30, np.full(30, 1 / 30), size=20)
    rows = [np.repeat(np.arange(60), weight[groups]) for weight in weights]
    assert found[1:] == pytest.approx([one_against_the_rest(label[r], p[r]) for r in rows])
    alone = area_replicates(np.zeros(4, int), p[:4], np.arange(4), 3)
    assert np.isnan(alone).all()


def one_against_the_rest(label, p):
    return np.mean([roc_auc_score(label == c, p[:, c]) for c in range(3)])


def test_a_mean_over_samples_needs_its_column_and_others_have_no_test():
    a, b = table(2.0), table(0.7, seed=2)
    assert compare_tables(a, b, "y", "mae", multiclass=False).value == pytest.approx((a["y.mae"] - b["y.mae"]).mean())
    assert compare_tables(a, b, "y", "f1", multiclass=False) is None


def test_other_samples_are_refused():
    with pytest.raises(ValueError, match="not tested on the same samples"):
        compare_tables(table(1.0), table(1.0).iloc[::-1], "y", "accuracy", multiclass=True)


def test_the_interval_of_a_mean_is_the_normal_one_over_groups():
    rng = np.random.default_rng(3)
    a, b, groups = rng.normal(0.2, 1, 800), rng.normal(0, 1, 800), np.repeat(np.arange(400), 2)
    found = mean_difference(a, b, groups)
    half = 1.96 * np.std((a - b).reshape(400, 2).mean(1), ddof=1) / math.sqrt(400)
    assert (found.low, found.high) == (
        pytest.approx(found.value - half, abs=0.02),
        pytest.approx(found.value + half, abs=0.02),
    )
    assert mean_difference(a, a, groups) == (0, 0, 0, 1)
    a[:2] = np.nan
    assert mean_difference(a, b, groups).value == pytest.approx(np.nanmean(a - b))


def test_any_metric_is_compared_by_its_values_in_the_same_draws():
    a, b = table(2.0), table(0.7, seed=2)
    groups = a["group"].to_numpy()
    drawn = [replicates(lambda x: x.mean(), [t["y.mae"].to_numpy()], groups, resamples=4000) for t in (a, b)]
    found, of_means = (
        resampled_difference(*drawn),
        mean_difference(a["y.mae"].to_numpy(), b["y.mae"].to_numpy(), groups),
    )
    assert found.value == pytest.approx(of_means.value)
    width = of_means.high - of_means.low
    assert (found.low, found.high) == pytest.approx((of_means.low, of_means.high), abs=0.06 * width)
    tables = tuple(pd.DataFrame({"draw": range(4001), "f1": values}) for values in drawn)
    assert compare_tables(a, b, "y", "f1", multiclass=False, resamples=tables) == found
    assert compare_tables(a, b, "y", "f1", multiclass=False, resamples=(tables[0], None)) is None
    with pytest.raises(ValueError, match="not grouped alike"):
        compare_tables(a, b.assign(group="g"), "y", "f1", multiclass=False, resamples=tables)


def test_the_level_of_resampled_differences_by_hand():
    a = np.array([0.5, *[0.6] * 97, *[0.2] * 2])  # 99 draws, two on the other side of 0.4
    assert resampled_difference(a, np.full(100, 0.4)).p == pytest.approx(2 * 3 / 100)
    beyond = np.array([0.5, *np.linspace(0.2, 0.8, 99)])
    assert resampled_difference(beyond, np.full(100, 0.1)).p == pytest.approx(2 * 1 / 100)  # normal: .023
    far = stats.norm.sf(0.4 / np.std(beyond[1:] * 0.5, ddof=1)) * 2
    assert resampled_difference(beyond * 0.5 + 0.25, np.full(100, 0.1)).p == pytest.approx(far)
    assert resampled_difference(np.full(100, 0.4), a).p == pytest.approx(2 * 3 / 100)
    assert resampled_difference(a, a) == (0, 0, 0, 1)
    undefined = np.where(np.arange(100) % 2, math.nan, a)
    assert resampled_difference(undefined, np.full(100, 0.4)).value == pytest.approx(0.1)
    assert math.isnan(resampled_difference(undefined, np.full(100, 0.4)).p)
    with pytest.raises(ValueError, match="99 and 49 times"):
        resampled_difference(a, a[:50])


def test_its_p_is_that_of_a_normal_difference():
    rng = np.random.default_rng(5)
    a, b = rng.normal(0.1, 1, 500), np.zeros(500)
    a += 0.09 - a.mean()
    drawn = [replicates(np.mean, [x], np.arange(500), resamples=4000) for x in (a, b)]
    expected = 2 * stats.norm.sf(0.09 / (a.std() / math.sqrt(500)))
    assert resampled_difference(*drawn).p == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("better", "word"), [("max", "beats"), ("min", "is worse than")])
def test_the_sentence(better, word):
    large, none = Compared(0.2, 0.1, 0.3, 0.0004), Compared(0.01, -0.1, 0.1, 0.8)
    said = verdict("sum", "ct", "balanced_accuracy", (0.8, 0.6), large, "300 test samples", better)
    assert (
        said
        == f"sum (balanced accuracy 0.800) {word} ct (0.600): Δ = +0.200 [+0.100, +0.300], p < .001, 300 test samples."
    )
    assert "not distinguishable from ct" in verdict("sum", "ct", "f1", (0.61, 0.6), none, "300 test samples", better)
    assert "Only 20 test groups" in caution(20)
    assert caution(30) == ""
