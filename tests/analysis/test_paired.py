"""Two models on the same samples, and the sentence about them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from crossfade.analysis.paired import compare_tables, mean_difference
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


def test_auroc_of_two_classes():
    a, b = table(2.0), table(0.7, seed=2)
    known = a["y.truth"].notna()
    areas = [roc_auc_score(t.loc[known, "y.truth"] == "well", t.loc[known, "y.p(well)"]) for t in (a, b)]
    assert compare_tables(a, b, "y", "auroc", multiclass=True).value == pytest.approx(areas[0] - areas[1])


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
