"""BROJA on gates whose decomposition is known, and what must hold of every distribution."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from crossfade.analysis.decomposition import broja, information, least_information
from crossfade.data.known.channel import channel
from crossfade.data.known.information import decompose, mutual_information
from crossfade.data.known.laws import joint


def gate(rule, bits=2):
    """p(t_1, t_2, y) of fair bits: `rule` maps them to (t_1, t_2, y)."""
    rows = [rule(*values) for values in itertools.product((0, 1), repeat=bits)]
    table = np.zeros([max(column) + 1 for column in zip(*rows, strict=True)])
    for row in rows:
        table[row] += 1 / len(rows)
    return table


AND = 1.5 - 0.75 * math.log2(3)  # I(one bit; y) = .311


# values: Bertschinger et al. 2014, arXiv:1311.2852, table 1; Griffith & Koch 2014, arXiv:1205.4265
@pytest.mark.parametrize(
    ("table", "parts"),
    [
        (gate(lambda a, b: (a, b, a ^ b)), (0, 0, 0, 1)),
        (gate(lambda a, b: (a, b, a & b)), (AND, 0, 0, 0.5)),
        (gate(lambda a, b: (a, a, a)), (1, 0, 0, 0)),
        (gate(lambda a, b: (a, b, a)), (0, 1, 0, 0)),
        (gate(lambda a, b: (a, b, 2 * a + b)), (0, 1, 1, 0)),  # two bits copied: nothing is shared, I_min says 1
        (gate(lambda a, b: (a, b, a + b)), (0.5, 0, 0, 1)),
        (gate(lambda a, b, r: (2 * r + a, 2 * r + b, 2 * r + (a ^ b)), bits=3), (1, 0, 0, 1)),  # RdnXor
        (gate(lambda a, b, c: (2 * a + b, 2 * a + c, 2 * b + c), bits=3), (0, 1, 1, 0)),
    ],
)
def test_known_gates(table, parts):
    np.testing.assert_allclose(broja(table), parts, atol=1e-6)


def test_equal_content_and_equal_amounts_are_told_apart():
    """Two independent bits that make up the label: I_min calls one of the two bits redundant."""
    table = gate(lambda a, b: (a, b, 2 * a + b))
    assert decompose(table).redundancy == pytest.approx(1)
    assert broja(table).redundancy == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("law", ["xor", "and", "copy", "unique", "sum", "gaussian", "mixture"])
@pytest.mark.parametrize("modalities", [2, 3])
def test_for_the_benchmarks_laws_both_measures_agree(law, modalities):
    """What the benchmark calls exact (I_min) is BROJA too: of two modalities, and of one against the rest."""
    table = joint(law, modalities)
    np.testing.assert_allclose(
        broja(table.reshape(2, -1, table.shape[-1])), decompose(table, [0], range(1, modalities)), atol=2e-6
    )


def test_a_noisier_copy_has_nothing_of_its_own():
    one, two = channel(1.0, 12), channel(1.5, 12)
    found = broja(np.einsum("yi,yj,y->ijy", one, two, [0.5, 0.5]))
    assert found.unique_second == pytest.approx(0, abs=1e-4)  # cells of either are not quite degraded copies
    assert found.unique_first > 0.15


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_against_a_search_in_one_dimension(seed):
    """Bits and a label of two: one free number per label; the least I by scipy over a grid of the other."""
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.ones(8)).reshape(2, 2, 2)
    first, second = table.sum(1), table.sum(0)

    def coupling(y, share):
        low = max(0.0, first[0, y] + second[0, y] - table[..., y].sum())
        x = low + share * (min(first[0, y], second[0, y]) - low)
        total = table[..., y].sum()
        return np.array([[x, first[0, y] - x], [second[0, y] - x, total - first[0, y] - second[0, y] + x]]).clip(0)

    def at(s0, s1):
        q = np.stack([coupling(0, s0), coupling(1, s1)], -1)
        return mutual_information(q, [0, 1])

    def inner(s0):
        return minimize_scalar(lambda s1: at(s0, s1), bounds=(0, 1), method="bounded", options={"xatol": 1e-7}).fun

    reference = minimize_scalar(inner, bounds=(0, 1), method="bounded", options={"xatol": 1e-7}).fun
    assert float(least_information(first, second)) == pytest.approx(reference, abs=2e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(2, 4), st.integers(2, 3))
@settings(max_examples=25, deadline=None)
def test_the_parts_are_not_negative_and_sum_to_the_information(seed, k1, k2, classes):
    table = np.random.default_rng(seed).dirichlet(np.full(k1 * k2 * classes, 0.3)).reshape(k1, k2, classes)
    parts = broja(table)
    assert min(parts) > -1e-5
    assert sum(parts) == pytest.approx(float(information(table.reshape(-1, classes))), abs=1e-9)
    other = broja(table.transpose(1, 0, 2))
    np.testing.assert_allclose(parts, np.array(other)[[0, 2, 1, 3]], atol=1e-5)


def test_many_at_once_are_as_one_by_one():
    rng = np.random.default_rng(0)
    first = rng.dirichlet(np.ones(5), (3, 2)).transpose(0, 2, 1) / 2
    second = rng.dirichlet(np.ones(4), (3, 2)).transpose(0, 2, 1) / 2
    together = least_information(first, second)
    np.testing.assert_allclose(
        together, [least_information(a, b) for a, b in zip(first, second, strict=True)], atol=1e-6
    )
    rough = least_information(first, second, gap=1e-3)
    assert (rough >= together - 1e-6).all()
    assert (rough <= together + 1e-3).all()


def test_margins_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="different probabilities"):
        least_information(np.array([[0.5, 0.0], [0.0, 0.5]]), np.array([[0.4, 0.0], [0.0, 0.6]]))
