"""Motion as polynomials of time."""

from __future__ import annotations

import numpy as np
import pytest

from crossfade.targets.smooth import basis, scales


@pytest.mark.parametrize("degree", [1, 2, 3, 9])
def test_the_basis_spans_the_polynomials_that_are_zero_now(degree):
    q = basis(6, degree)
    assert q.shape == (6, min(degree, 6))
    np.testing.assert_allclose(q.T @ q, np.eye(q.shape[1]), atol=1e-12)
    time = np.arange(1, 7) / 2
    for power in range(1, q.shape[1] + 1):
        np.testing.assert_allclose(q @ (q.T @ time**power), time**power, atol=1e-9)
    np.testing.assert_allclose(q[:, 0] / q[0, 0], np.arange(1, 7))  # steady motion, forwards


def test_scales_are_those_of_the_coefficients():
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=(4000, 3, 2)) * [[9, 5], [1, 2], [0.3, 0.001]]
    moved = np.einsum("tp,npa->nta", basis(6, 3), coefficients)
    moved[::2, 4:] = np.nan  # what was lost from sight does not count
    np.testing.assert_allclose(scales(moved, 3), [[9, 5], [1, 2], [0.3, 0.01]], rtol=0.05)


def test_scales_where_nothing_was_seen_to_its_end():
    moved = np.full((2, 4, 2), np.nan)
    moved[:, :2] = [[1.0, 2.0], [3.0, 4.0]]
    first = np.sqrt(np.array([(1 + 9) / 2, (4 + 16) / 2]) * 4)
    np.testing.assert_allclose(scales(moved, 2), [first, first / 10])
