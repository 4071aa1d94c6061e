"""Bootstrap intervals against scikit-learn, scipy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, recall_score, roc_auc_score

from crossfade.analysis import intervals
from crossfade.analysis.confusion import confusions, metric_of
from crossfade.analysis.intervals import bootstrap, confusion_interval, mean_sd, paired_difference
from crossfade.analysis.statistics import Compared
from crossfade.analysis.verdict import is_difference


def draws(n: int, accuracy: float, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    wrong = (truth + rng.integers(1, classes, n)) % classes
    return truth, np.where(rng.random(n) < accuracy, truth, wrong)


@pytest.mark.parametrize(
    ("metric", "reference"),
    [
        ("accuracy", accuracy_score),
        ("balanced_accuracy", balanced_accuracy_score),
        ("f1", lambda t, p: f1_score(t, p, average="macro")),
    ],
)
def test_the_value_is_scikit_learns(metric, reference):
    truth, predicted = draws(200, 0.6)
    interval = confusion_interval(truth, predicted, np.arange(200), 3, metric)
    assert interval.value == pytest.approx(reference(truth, predicted), abs=1e-12)
    assert interval.low < interval.value < interval.high


def test_the_interval_is_scipys():
    truth, predicted = draws(300, 0.7)
    ours = confusion_interval(truth, predicted, np.arange(300), 3, "accuracy", resamples=20000)
    theirs = stats.bootstrap(
        ((truth == predicted).astype(float),), np.mean, method="percentile", n_resamples=20000, rng=0
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_groups_of_equal_samples_widen_the_interval_by_the_square_root_of_their_size():
    truth, predicted = draws(100, 0.7)
    alone = confusion_interval(truth, predicted, np.arange(100), 3, "accuracy", resamples=8000)
    grouped = confusion_interval(
        np.repeat(truth, 4), np.repeat(predicted, 4), np.repeat(np.arange(100), 4), 3, "accuracy", resamples=8000
    )
    naive = confusion_interval(
        np.repeat(truth, 4), np.repeat(predicted, 4), np.arange(400), 3, "accuracy", resamples=8000
    )
    assert grouped == pytest.approx(alone, abs=0.01)
    assert (grouped.high - grouped.low) / (naive.high - naive.low) == pytest.approx(2, rel=0.1)


def test_a_95_percent_interval_covers_in_about_95_of_100_cases():
    covered = [
        i.low <= 0.7 <= i.high
        for seed in range(200)
        for i in [confusion_interval(*draws(150, 0.7, seed=seed), np.arange(150), 3, "accuracy", resamples=400)]
    ]
    assert 0.89 <= np.mean(covered) <= 0.99


def test_paired_difference_knows_equal_from_different():
    truth, a = draws(400, 0.9)
    _, b = draws(400, 0.6)
    groups = np.arange(400)
    better = paired_difference(truth, a, b, groups, 3, "balanced_accuracy")
    assert better.low > 0
    assert better.p < 0.01
    same = paired_difference(truth, a, a, groups, 3, "balanced_accuracy")
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_a_metric_that_is_not_of_a_confusion_matrix_is_refused():
    truth, predicted = draws(20, 0.6)
    with pytest.raises(ValueError, match="auroc is no metric of a confusion matrix"):
        metric_of(confusions(truth, predicted, np.arange(20), 3), "auroc")


def test_the_interval_of_an_accuracy_is_about_the_binomials():
    truth, predicted = draws(500, 0.7)
    interval = confusion_interval(truth, predicted, np.arange(500), 3, "accuracy", resamples=10000)
    exact = stats.binom(500, interval.value).ppf([0.025, 0.975]) / 500
    assert (interval.low, interval.high) == pytest.approx(exact, abs=0.0025)


def test_intervals_of_many_means_are_those_of_each():
    """Against the general bootstrap on the same groups: other draws, so near and not equal."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(60), rng.integers(1, 5, 60))
    values = rng.normal(size=(2, len(groups))) + rng.normal(size=60)[groups]
    found = intervals.bootstrap_means(values, groups, resamples=4000)
    for row, ours in zip(values, found, strict=True):
        general = intervals.bootstrap(np.mean, [row], groups, resamples=4000)
        assert ours.value == pytest.approx(general.value, abs=1e-12)
        assert (ours.low, ours.high) == pytest.approx((general.low, general.high), abs=0.03)
    same = intervals.bootstrap_means(np.ones((1, 5)), np.arange(5))
    assert same == [intervals.Interval(1.0, 1.0, 1.0)]


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1"])
def test_resamples_are_the_metric_of_resampled_samples(metric, monkeypatch):
    """Weighted confusion matrices against scikit-learn on samples that are repeated as often as the weight says."""
    truth, predicted = draws(40, 0.6)
    groups = np.arange(40) // 3
    weights = np.random.default_rng(5).multinomial(14, np.full(14, 1 / 14), size=20)
    (ours,) = intervals._resampled([confusions(truth, predicted, groups, 3)], metric, 20, 5)
    score = {
        "accuracy": accuracy_score,
        "balanced_accuracy": balanced_accuracy_score,
        "f1": lambda t, p: f1_score(t, p, average="macro"),
    }[metric]
    rows = [np.repeat(np.arange(40), weight[groups]) for weight in weights]
    assert ours == pytest.approx([score(truth[r], predicted[r]) for r in rows])
    monkeypatch.setattr(intervals, "LARGEST", 14 * 3)  # three resamples at a time: the same numbers
    (chunked,) = intervals._resampled([confusions(truth, predicted, groups, 3)], metric, 20, 5)
    np.testing.assert_array_equal(chunked, ours)


def test_a_faultless_model_is_not_certain():
    truth = np.repeat([0, 1], [90, 10])
    accuracy = confusion_interval(truth, truth, np.arange(100), 2, "accuracy")
    exact = stats.binomtest(100, 100).proportion_ci(method="exact")
    assert accuracy == pytest.approx((1, exact.low, exact.high))
    rare = stats.binomtest(10, 10).proportion_ci(method="exact").low
    balanced = confusion_interval(truth, truth, np.arange(100), 2, "balanced_accuracy")
    assert balanced == pytest.approx((1, (1 + rare) / 2, 1))
    assert confusion_interval(truth, truth, np.arange(100) // 2, 2, "accuracy").low < accuracy.low  # fewer groups


def test_a_prediction_outside_the_classes_is_wrong_and_nothing_else():
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, -1, 1, -1])
    stack = confusions(truth, predicted, np.arange(4), 2)
    assert metric_of(stack.sum(0), "accuracy") == 0.5
    assert metric_of(stack.sum(0), "balanced_accuracy") == recall_score(
        truth, predicted, labels=[0, 1], average="macro"
    )
    assert metric_of(stack.sum(0), "f1") == pytest.approx(f1_score(truth, predicted, average="macro"))
    both = paired_difference(truth, predicted, truth, np.arange(4), 2, "accuracy")
    assert both.value == -0.5
    for wrong in ([0, 0, 1, 2], [0, 0, 1, -1]):
        with pytest.raises(ValueError, match="Class numbers run from 0 to 1"):
            confusions(np.array(wrong), predicted, np.arange(4), 2)


def test_the_permutation_test_is_the_exact_one_of_all_swaps():
    """Accuracy: only samples on which the models disagree count, so p is that of the sign test (McNemar, exact)."""
    truth = np.zeros(40, int)
    a, b = truth.copy(), truth.copy()
    a[:3], b[3:14] = 1, 1  # a alone is wrong 3 times, b alone 11 times
    difference = paired_difference(truth, a, b, np.arange(40), 2, "accuracy", resamples=40000)
    assert difference.value == pytest.approx(8 / 40)
    assert difference.p == pytest.approx(stats.binomtest(3, 14).pvalue, abs=0.005)
    swapped = paired_difference(truth, b, a, np.arange(40), 2, "accuracy", resamples=40000)
    assert (swapped.value, swapped.low, swapped.high) == pytest.approx(
        (-difference.value, -difference.high, -difference.low)
    )
    assert swapped.p == difference.p


def test_equal_models_are_seldom_told_apart():
    found = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        truth = rng.choice(3, 60, p=[0.6, 0.3, 0.1])
        a, b = (np.where(rng.random(60) < 0.8, truth, (truth + 1) % 3) for _ in range(2))
        found.append(paired_difference(truth, a, b, np.arange(60), 3, "balanced_accuracy", resamples=200).p < 0.05)
    assert np.mean(found) <= 0.08  # 5 % and two standard errors of the simulation


def test_the_verdict_needs_the_test_and_the_interval_to_agree():
    """Five better answers of five: the interval excludes 0, the exact test (p = 2/2⁵) is not so sure."""
    truth = np.zeros(60, int)
    worse = truth.copy()
    worse[:5] = 1
    difference = paired_difference(truth, truth, worse, np.arange(60), 2, "accuracy")
    assert difference.low > 0
    assert difference.p == pytest.approx(1 / 16, abs=0.02)
    assert not is_difference(Compared(*difference))


def test_any_metric_can_be_bootstrapped_and_agrees_with_the_fast_way():
    truth, predicted = draws(200, 0.7)
    groups = np.array([f"p{i // 2}" for i in range(200)])
    slow = bootstrap(lambda t, p: (t == p).mean(), [truth, predicted], groups, resamples=4000)
    fast = confusion_interval(truth, predicted, groups, 3, "accuracy", resamples=4000)
    assert slow.value == fast.value
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), abs=0.012)


def test_the_bootstrap_of_a_mean_is_scipys():
    x = np.random.default_rng(0).exponential(size=80)
    ours = bootstrap(lambda v: v.mean(), [x], np.arange(80), resamples=4000)
    theirs = stats.bootstrap((x,), np.mean, method="percentile", n_resamples=4000, rng=1).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_resamples_without_a_metric_are_left_out_or_refused():
    def auroc(truth, score):
        return roc_auc_score(truth, score) if len(set(truth)) > 1 else float("nan")

    score = np.linspace(0, 1, 12)
    some = bootstrap(auroc, [(score > 0.8).astype(int), score], np.arange(12), resamples=200)
    assert tuple(some) == (1, 1, 1)
    with pytest.raises(ValueError, match="defined in 0 of 50"):
        bootstrap(auroc, [np.zeros(12, int), score], np.arange(12), resamples=50)


def test_mean_and_sd_over_folds():
    assert mean_sd([0.7, 0.8, 0.9]) == pytest.approx((0.8, 0.1))
    mean, sd = mean_sd([0.7])
    assert (mean, np.isnan(sd)) == (0.7, True)
