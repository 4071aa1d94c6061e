"""Shares of the variance against closed forms and an independent decomposition."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from crossfade.analysis.functional_anova import variance_shares


def by_axes(values, **more):
    return {share.axes: share.share for share in variance_shares(values, **more)}


def test_a_sum_has_no_interactions():
    x, y = np.array([0.0, 1.0, 2.0])[:, None], np.array([0.0, 3.0])[None]
    found = by_axes(x + y)
    # Var over the grid: x 2/3, y 9/4
    assert found[(0,)] == pytest.approx((2 / 3) / (2 / 3 + 9 / 4))
    assert found[(1,)] == pytest.approx((9 / 4) / (2 / 3 + 9 / 4))
    assert found[(0, 1)] == pytest.approx(0, abs=1e-12)


def test_a_parity_is_nothing_but_interaction():
    sign = np.array([-1.0, 1.0])
    found = by_axes(np.einsum("i,j,k->ijk", sign, sign, sign))
    assert found.pop((0, 1, 2)) == pytest.approx(1)
    assert max(found.values()) == pytest.approx(0, abs=1e-12)


def test_a_product_of_numbers_divides_as_it_should():
    """y = x₁·x₂ on {1, 2}²: f₁ = 1.5(x₁ − 1.5), f₁₂ = (x₁ − 1.5)(x₂ − 1.5)."""
    x = np.array([1.0, 2.0])
    found = by_axes(np.outer(x, x))
    total = 2 * 1.5**2 / 4 + 1 / 16
    assert found == {
        (0,): pytest.approx(1.5**2 / 4 / total),
        (1,): pytest.approx(1.5**2 / 4 / total),
        (0, 1): pytest.approx(1 / 16 / total),
    }


def test_it_agrees_with_the_sums_of_squares_of_orthogonal_contrasts():
    """Independent: each part is the squared length of y's projection onto a tensor product of contrasts."""
    rng = np.random.default_rng(0)
    shape = (2, 3, 4)
    y = rng.normal(size=shape)
    bases = [np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, n - 1))]))[0] for n in shape]
    coefficients = np.einsum("ijk,ia,jb,kc->abc", y, *bases)
    squares: dict[tuple[int, ...], float] = {}
    for place in product(*map(range, shape)):
        axes = tuple(axis for axis, column in enumerate(place) if column)
        if axes:
            squares[axes] = squares.get(axes, 0.0) + coefficients[place] ** 2
    total = sum(squares.values())
    assert by_axes(y) == {axes: pytest.approx(value / total) for axes, value in squares.items()}


def test_what_repeats_have_a_part_in_is_one_share_and_all_sum_to_one():
    rng = np.random.default_rng(1)
    values = np.arange(3.0)[:, None, None] + rng.normal(size=(3, 2, 5))
    found = by_axes(values, repeated=2)
    assert set(found) == {(0,), (1,), (0, 1), (2,)}
    assert sum(found.values()) == pytest.approx(1)
    means = values.mean(2)
    assert found[(0,)] == pytest.approx(means.mean(1).var() / values.var())
    assert found[(2,)] == pytest.approx(values.var(2).mean() / values.var())  # within the cells
    shares = variance_shares(values, repeated=2)
    assert [s.share for s in shares] == sorted((s.share for s in shares), reverse=True)


def test_nothing_varies_or_something_is_missing():
    assert variance_shares(np.full((2, 3), 0.1)) == []
    with pytest.raises(ValueError, match="full grid"):
        variance_shares(np.array([[1.0, np.nan], [0.0, 1.0]]))
