"""The optimum over α, the flat range, and the letters of groups."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.analysis.landscape import flat_range, optimum
from crossfade.analysis.letters import group_letters
from crossfade.analysis.statistics import Compared, corrected_t

ALPHA = np.linspace(0, 1, 11)


@pytest.mark.parametrize(("better", "sign"), [("max", 1.0), ("min", -1.0)])
def test_the_optimum_is_where_the_mean_is_best(better, sign):
    scores = sign * (0.9 - (ALPHA - 0.6) ** 2) + np.linspace(-0.1, 0.1, 5)[:, None]  # repeats differ by a constant
    found = optimum(ALPHA, scores, better)
    assert (found.place, found.alpha, found.value) == (6, pytest.approx(0.6), pytest.approx(sign * 0.9))
    assert (found.low, found.high) == (pytest.approx(0.6), pytest.approx(0.6))  # in every resample


def test_its_interval_is_that_of_the_argmax_over_resampled_repeats():
    """Three repeats, each a spike at another α: a resample's argmax is its most frequent repeat, the first of a tie."""
    scores = np.zeros((3, 3))
    np.fill_diagonal(scores, 1.0)
    found = optimum(np.array([0.2, 0.5, 0.8]), scores, "max", level=0.5)
    # of 27 ordered draws 7 have each of them twice or more, and 6 are a tie: P = 13/27, 7/27, 7/27
    assert (found.low, found.high) == (0.2, 0.8)
    found = optimum(np.array([0.2, 0.5, 0.8]), scores, "max", level=0.2)
    assert (found.low, found.high) == (0.2, 0.5)  # the quantiles .4 and .6


def test_one_repeat_has_an_optimum_without_an_interval():
    found = optimum(ALPHA, (ALPHA * (1 - ALPHA))[None], "max")
    assert found.alpha == pytest.approx(0.5)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    with pytest.raises(ValueError, match="every repeat's score"):
        optimum(ALPHA, np.full((2, 11), np.nan), "max")


def compared(p):
    return Compared(0.1, 0.05, 0.15, p) if p < 0.05 else Compared(0.01, -0.1, 0.12, p)


def test_the_flat_range_has_no_gap_and_its_p_are_adjusted():
    alpha = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    tests = {0: compared(0.9), 1: compared(0.001), 3: compared(0.6), 4: compared(0.001)}
    assert flat_range(alpha, 2, tests) == (0.5, 0.75)  # 0 cannot be told from it either, but lies behind a gap
    weak = {0: compared(0.9), 1: compared(0.02), 3: compared(0.6), 4: compared(0.9)}  # 4 · 0.02 > 0.05
    assert flat_range(alpha, 2, weak) == (0.0, 1.0)
    assert flat_range(alpha, 2, {**tests, 3: Compared(0.0, math.nan, math.nan, math.nan)}) is None


def test_a_sharp_curve_is_less_flat_than_a_blunt_one():
    rng = np.random.default_rng(0)
    widths = []
    for bend in (0.1, 3.0):
        scores = -bend * (ALPHA - 0.5) ** 2 + rng.normal(0, 0.02, (8, 11)) + rng.normal(0, 0.1, (8, 1))
        place = optimum(ALPHA, scores, "max").place
        tests = {i: corrected_t(scores[:, place] - scores[:, i], 0.25) for i in range(11) if i != place}
        low, high = flat_range(ALPHA, place, tests)
        widths.append(high - low)
    assert widths[0] > 0.8
    assert widths[1] < 0.5


@given(
    st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.sampled_from([*combinations(range(8), 2)]))))
)
def test_two_share_a_letter_exactly_where_they_do_not_differ(drawn):
    count, pairs = drawn
    different = {pair for pair in pairs if pair[1] < count}
    letters = group_letters(count, different)
    assert all(letters)
    for one, other in combinations(range(count), 2):
        assert bool(set(letters[one]) & set(letters[other])) == ((one, other) not in different)


def test_letters_are_few_and_begin_with_the_first():
    assert group_letters(3, [(0, 2)]) == [["a"], ["a", "b"], ["b"]]
    assert group_letters(3, [(0, 1), (0, 2), (1, 2)]) == [["a"], ["b"], ["c"]]
    assert group_letters(4, []) == [["a"]] * 4
    every = [*combinations(range(28), 2)]
    assert group_letters(28, every)[27] == ["b2"]
