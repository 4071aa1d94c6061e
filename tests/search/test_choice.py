"""α from inner scores, by hand."""

from __future__ import annotations

import math
import statistics

import pytest

from crossfade.search.choice import choose

ALPHAS = [0.0, 0.25, 0.5, 0.75, 1.0]
SCORES = [[0.5, 0.5], [0.6, 0.7], [0.66, 0.74], [0.68, 0.76], [0.9, 0.56]]  # means .5 .65 .7 .72 .73


def test_the_best_mean_wins() -> None:
    found = choose(ALPHAS, SCORES, True, 0.5)
    assert found.alpha == 1.0
    assert found.means == pytest.approx([0.5, 0.65, 0.7, 0.72, 0.73])
    assert found.errors[4] == pytest.approx(statistics.stdev([0.9, 0.56]) / math.sqrt(2))


def test_of_an_error_the_smallest_wins() -> None:
    assert choose(ALPHAS, SCORES, False, 0.5).alpha == 0.0


def test_of_equals_the_nearest_to_even_wins() -> None:
    assert choose(ALPHAS, [[0.7]] * 5, True, 1 / 3).alpha == 0.25
    assert choose(ALPHAS, [[0.7]] * 5, False, 0.5).alpha == 0.5


def test_within_one_standard_error_of_the_best_the_nearest_to_even_wins() -> None:
    assert choose(ALPHAS, SCORES, True, 0.5, one_se=True).alpha == 0.5  # SE of the best .17
    sure = [[0.5, 0.5], [0.6, 0.7], [0.66, 0.74], [0.72, 0.72], [0.735, 0.725]]  # SE .005: .72 is out of reach
    assert choose(ALPHAS, sure, True, 0.5, one_se=True).alpha == 1.0
    errors = [[1.0, 1.0], [0.5, 0.7], [0.45, 0.65], [0.4, 0.6], [2.0, 2.0]]  # best .5 ± .1: reaches .55 and .6
    assert choose(ALPHAS, errors, False, 0.5, one_se=True).alpha == 0.5
    assert choose(ALPHAS, errors, False, 0.25, one_se=True).alpha == 0.25
