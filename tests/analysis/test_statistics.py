"""The tests of differences, against other ways to the same number."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats import contingency_tables
from statsmodels.stats.multitest import multipletests

from crossfade.analysis.statistics import (
    cliffs_delta,
    cohens_d,
    corrected_t,
    delong,
    holm,
    mcnemar,
    rank_models,
)


def test_mcnemar_is_the_binomial_sum():
    a = np.array([True] * 8 + [False] * 2 + [True] * 5)
    b = np.array([False] * 8 + [True] * 2 + [True] * 5)
    tail = sum(math.comb(10, k) for k in range(3)) / 2**10
    assert mcnemar(a, b) == pytest.approx(2 * tail)
    assert mcnemar(a, b) == mcnemar(b, a)
    assert mcnemar(a, a) == 1.0


def scores(seed=0, samples=60, ties=False):
    rng = np.random.default_rng(seed)
    truth = rng.random(samples) < 0.4
    common = truth + rng.normal(size=samples)
    a, b = common + rng.normal(size=samples), common + 0.5 * rng.normal(size=samples)
    return (truth, np.round(a), np.round(b)) if ties else (truth, a, b)


@pytest.mark.parametrize("ties", [False, True])
def test_delong_is_its_definition(ties):
    truth, a, b = scores(ties=ties)
    found = delong(truth, a, b)
    assert found.value == pytest.approx(roc_auc_score(truth, a) - roc_auc_score(truth, b))

    def kernel(score):  # the definition, pair by pair
        psi = np.zeros((truth.sum(), (~truth).sum()))
        for (i, x), (j, y) in itertools.product(enumerate(score[truth]), enumerate(score[~truth])):
            psi[i, j] = 1.0 if x > y else 0.5 if x == y else 0.0
        return psi.mean(1), psi.mean(0)

    (up_a, down_a), (up_b, down_b) = kernel(a), kernel(b)
    variance = np.var(up_a - up_b, ddof=1) / truth.sum() + np.var(down_a - down_b, ddof=1) / (~truth).sum()
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(found.value) / math.sqrt(variance)))
    assert found.high - found.low == pytest.approx(2 * 1.959964 * math.sqrt(variance), rel=1e-6)


def test_delong_of_equal_rankings_finds_nothing():
    truth, a, _ = scores()
    assert delong(truth, a, np.exp(a)) == (0.0, 0.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="two samples of each class"):
        delong(np.array([True, False, False]), a[:3], a[:3])


def test_delong_keeps_its_level():
    false = sum(delong(*scores_of_equals(seed)).p < 0.05 for seed in range(300))
    assert 5 <= false <= 27  # of 300 at 5 %: 15 expected, sd 3.8


def scores_of_equals(seed):
    rng = np.random.default_rng(seed)
    truth = rng.random(80) < 0.5
    common = truth + rng.normal(size=80)
    return truth, common + 0.7 * rng.normal(size=80), common + 0.7 * rng.normal(size=80)


def test_corrected_t_is_the_paired_t_test_without_overlap():
    d = [0.02, 0.05, -0.01, 0.03, 0.04]
    found = corrected_t(d, 0.0)
    expected = stats.ttest_1samp(d, 0.0)
    assert found.p == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_overlap_of_the_training_sets_widens_it():
    d = [0.02, 0.05, -0.01, 0.03, 0.04]
    plain, corrected = corrected_t(d, 0.0), corrected_t(d, 0.25)  # five folds: n_test/n_train = 1/4
    ratio = (corrected.high - corrected.low) / (plain.high - plain.low)
    assert ratio == pytest.approx(math.sqrt((1 / 5 + 1 / 4) / (1 / 5)))
    assert corrected.p > plain.p
    assert math.isnan(corrected_t([0.1], 0.25).p)
    assert corrected_t([0.0, 0.0], 0.25).p == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels(p):
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_is_statsmodels(right):
    a, b = np.array(right).T
    counts = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    assert mcnemar(a, b) == pytest.approx(contingency_tables.mcnemar(counts, exact=True).pvalue, rel=1e-9)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
    assert holm([0.01, 0.04], tests=6) == pytest.approx([0.06, 0.2])


@pytest.mark.parametrize("models", [3, 8])
def test_the_best_against_the_rest_keeps_its_level(models):
    """Of equal models the best is chosen by the same numbers: only as one of all pairs is it a fair test."""
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(400):
        scores_of = rng.normal(size=(25, models))
        best = scores_of.mean(0).argmax()
        p = [stats.ttest_rel(scores_of[:, best], scores_of[:, j]).pvalue for j in range(models) if j != best]
        false += min(holm(p, math.comb(models, 2))) < 0.05
    assert false <= 20 + 3 * math.sqrt(400 * 0.05 * 0.95)


def test_ranks_and_the_critical_difference_of_demsar():
    # Demšar 2006, table 6 and section 3.2.3: four classifiers on 14 data sets, CD at 5 % is 1.25
    rng = np.random.default_rng(0)
    scores_of = rng.normal(size=(14, 4)) + np.array([0.0, 1.0, 2.0, 3.0])
    found = rank_models(scores_of)
    assert found.critical == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 14)), abs=2e-3)
    assert found.p == pytest.approx(stats.friedmanchisquare(*scores_of.T).pvalue)
    assert found.ranks.argmin() == 3
    np.testing.assert_allclose(rank_models(-scores_of, better="min").ranks, found.ranks)
    assert rank_models(np.ones((3, 3))).p == 1.0
    with pytest.raises(ValueError, match="three models"):
        rank_models(np.ones((3, 2)))


def test_effect_sizes():
    assert cohens_d([1.0, 2.0, 3.0]) == pytest.approx(2.0)
    assert math.isnan(cohens_d([1.0, 1.0]))
    assert cliffs_delta([3, 4], [1, 2]) == 1.0
    assert cliffs_delta([1, 2], [1, 2]) == 0.0
    assert cliffs_delta([1, 3], [2]) == 0.0
