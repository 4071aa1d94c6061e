"""α from what a user writes to a point on the simplex."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.config.alpha import simplex_point, strategies_with_alpha
from crossfade.errors import UserError

NAMES = ["a", "b", "c", "d"]


def test_a_number_weighs_the_first_and_shares_the_rest() -> None:
    assert simplex_point(0.4, ["x", "y", "z"]) == {"x": 0.4, "y": 0.3, "z": 0.3}
    assert simplex_point(0.9, ["x", "y"]) == {"x": 0.9, "y": 0.1}
    assert simplex_point(1, ["x", "y"]) == {"x": 1.0, "y": 0.0}
    assert simplex_point(0, ["x", "y"]) == {"x": 0.0, "y": 1.0}


def test_one_modality_has_all_the_weight() -> None:
    assert simplex_point(0.3, ["x"]) == {"x": 1.0}


def test_words() -> None:
    assert simplex_point(None, NAMES) is None
    assert simplex_point("learned", NAMES) == "learned"


def test_a_mapping_may_leave_modalities_out() -> None:
    assert simplex_point({"b": 0.7, "a": 0.3}, NAMES) == {"a": 0.3, "b": 0.7, "c": 0.0, "d": 0.0}


def test_a_mapping_that_nearly_sums_to_one_is_normalised() -> None:
    point = simplex_point({"a": 0.3333333, "b": 0.3333333, "c": 0.3333333}, NAMES)
    assert isinstance(point, dict)
    assert point["a"] == pytest.approx(1 / 3, abs=1e-11)
    with pytest.raises(UserError, match=r"sum to 0[.]99"):
        simplex_point({"a": 0.33, "b": 0.33, "c": 0.33}, NAMES)


@pytest.mark.parametrize(
    "alpha", [-0.1, 1.1, math.nan, math.inf, True, "half", [0.5, 0.5], {"a": "x"}, {"a": math.nan}, {}]
)
def test_what_is_no_point_on_the_simplex(alpha: object) -> None:
    with pytest.raises(UserError, match=r"outside the simplex|not a weight"):
        simplex_point(alpha, NAMES)


@given(st.floats(0, 1), st.integers(2, 6))
def test_numbers_give_points_on_the_simplex(alpha: float, count: int) -> None:
    point = simplex_point(alpha, [f"m{i}" for i in range(count)])
    assert isinstance(point, dict)
    assert math.fsum(point.values()) == pytest.approx(1, abs=1e-10)
    assert point["m0"] == alpha
    assert min(point.values()) >= 0


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=6).filter(any))
def test_mappings_give_points_on_the_simplex(counts: list[int]) -> None:
    given_weights = {f"m{i}": count / sum(counts) for i, count in enumerate(counts)}
    point = simplex_point(given_weights, list(given_weights))
    assert isinstance(point, dict)
    assert point == pytest.approx(given_weights, abs=1e-11)


def test_a_checked_point_is_checked_to_itself() -> None:
    once = simplex_point(0.1, NAMES)
    assert simplex_point(once, NAMES) == once


def test_the_strategies_with_alpha_are_those_whose_yaml_has_it() -> None:
    assert "weighted" in strategies_with_alpha()
    assert "sum" not in strategies_with_alpha()
