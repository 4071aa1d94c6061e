"""Partial information and Bayes accuracy: known values, what must hold of every distribution, simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy
from scipy.stats import norm

from crossfade.data.known.bayes import accuracy, balanced_accuracy
from crossfade.data.known.channel import accuracy_of_alpha, channel, observed, optimal_alpha
from crossfade.data.known.information import decompose, mutual_information
from crossfade.data.known.laws import LAWS, joint


def entropy(*p):
    return -sum(q * math.log2(q) for q in p if q)


@st.composite
def joints(draw, modalities=2):
    sizes = [draw(st.integers(1, 3)) for _ in range(modalities + 1)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.dirichlet(np.full(math.prod(sizes), draw(st.sampled_from([0.2, 1.0])))).reshape(sizes)


# Williams & Beer 2010; AND: I(Y; one) = H(1/4) − ½ H(1/2), and both bits say the same amount of each y
@pytest.mark.parametrize(
    ("law", "parts"),
    [
        ("xor", (0, 0, 0, 1)),
        ("copy", (1, 0, 0, 0)),
        ("unique", (0, 1, 0, 0)),
        ("and", (entropy(0.25, 0.75) - 0.5, 0, 0, 0.5)),
        ("sum", (0.5, 0, 0, 1)),  # 1.5 bits in all; one bit alone says H(¼, ½, ¼) − H(½, ½)
    ],
)
def test_known_decompositions(law, parts):
    np.testing.assert_allclose(decompose(joint(law, 2)), parts, atol=1e-12)


def test_the_and_gate_has_the_published_redundancy():
    assert decompose(joint("and", 2)).redundancy == pytest.approx(0.311, abs=5e-4)


@pytest.mark.parametrize(
    ("law", "first", "second"),
    [("xor", 0.5, 0.5), ("and", 5 / 6, 5 / 6), ("copy", 1, 1), ("unique", 1, 0.5), ("sum", 2 / 3, 2 / 3)],
)
def test_known_bayes_accuracies(law, first, second):
    table = joint(law, 2)
    found = [balanced_accuracy(table, which) for which in ([0], [1], [0, 1])]
    assert found == pytest.approx([first, second, 1])


@given(st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_known_bayes_accuracies_of_the_mixture(dial):
    table = joint("mixture", 2, dial)
    assert balanced_accuracy(table, [0]) == pytest.approx(1 - dial / 2)
    assert balanced_accuracy(table, [0, 1]) == pytest.approx(1 - min(dial / 4, (1 - dial) / 2))


@pytest.mark.parametrize("modalities", [2, 3, 4])
def test_parity_says_nothing_before_the_last_bit(modalities):
    table = joint("xor", modalities)
    for seen in range(modalities):
        assert mutual_information(table, range(seen)) == pytest.approx(0, abs=1e-12)
        assert accuracy(table, range(seen)) == 0.5
    assert mutual_information(table, range(modalities)) == pytest.approx(1)
    assert accuracy(table, range(modalities)) == 1.0
    assert decompose(table, [0], range(1, modalities)).synergy == pytest.approx(1)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("modalities", [2, 3])
def test_every_law_is_a_distribution(law, modalities):
    table = joint(law, modalities)
    assert table.shape[:-1] == (2,) * modalities
    assert table.sum() == pytest.approx(1)


@given(joints())
@settings(max_examples=60, deadline=None)
def test_the_parts_are_not_negative_and_sum_to_the_information(table):
    parts = decompose(table)
    assert min(parts) > -1e-9
    assert sum(parts) == pytest.approx(mutual_information(table, [0, 1]), abs=1e-9)
    for m, unique in enumerate((parts.unique_first, parts.unique_second)):
        flat = table.sum(axis=1 - m)
        reference = scipy_entropy(flat.sum(0), base=2) + scipy_entropy(flat.sum(1), base=2)
        reference -= scipy_entropy(flat.ravel(), base=2)
        assert parts.redundancy + unique == pytest.approx(reference, abs=1e-9)


@given(joints(3))
@settings(max_examples=40, deadline=None)
def test_more_modalities_never_know_less(table):
    occurs = table[..., table.sum(axis=(0, 1, 2)) > 1e-9]
    occurs = occurs / occurs.sum()
    for measure in (mutual_information, accuracy, balanced_accuracy):
        known = [measure(occurs, which) for which in ([], [1], [1, 2], [0, 1, 2])]
        assert all(b >= a - 1e-9 for a, b in itertools.pairwise(known))
    assert balanced_accuracy(occurs, []) == pytest.approx(1 / occurs.shape[-1])


@pytest.mark.parametrize("sigma", [0.25, 1.0, 3.0])
def test_cells_are_a_channel_that_loses_nearly_nothing(sigma):
    cells = channel(sigma, 600)
    np.testing.assert_allclose(cells.sum(1), 1, atol=1e-12)
    assert 0.5 * cells.max(0).sum() == pytest.approx(norm.cdf(1 / sigma), abs=1e-9)  # a cut at 0 loses nothing


@pytest.mark.parametrize(
    ("sigmas", "loss"), [((1.0, 1.5), 1e-5), ((1.0, 1.5, 2.0), 5e-4), ((1.0, 1.5, 2.0, 2.5), 5e-3)]
)
def test_cells_against_the_gaussian_closed_form(sigmas, loss):
    exact = accuracy_of_alpha(optimal_alpha(sigmas), sigmas)
    assert exact == pytest.approx(norm.cdf(math.sqrt(sum(s**-2 for s in sigmas))))
    found = accuracy(observed(joint("gaussian", len(sigmas)), range(len(sigmas)), sigmas), range(len(sigmas)))
    assert exact - loss < found <= exact + 1e-12


@given(st.lists(st.floats(0.2, 5), min_size=2, max_size=4), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_no_alpha_beats_inverse_variance_weights(sigmas, seed):
    other = np.random.default_rng(seed).dirichlet(np.ones(len(sigmas)))
    best = accuracy_of_alpha(optimal_alpha(sigmas), sigmas)
    assert accuracy_of_alpha(other, sigmas) <= best + 1e-12


def test_a_noisier_copy_has_nothing_of_its_own():
    """y → t_1 → t_2 up to relabelling: R is the weaker's information (the MMI decomposition of Barrett 2015)."""
    table = observed(joint("gaussian", 2), [0, 1], [1.0, 1.5])
    parts = decompose(table)
    assert parts.redundancy == pytest.approx(mutual_information(table, [1]), abs=1e-9)
    assert parts.unique_second == pytest.approx(0, abs=1e-9)
    assert parts.unique_first > 0.1


def test_noise_turns_information_into_the_binary_input_channels_capacity():
    """I of a fair ±1 in noise σ: 1 − E log₂(1 + exp(−2(1 + σ n)/σ²)), by Gauss–Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    for sigma in (0.7, 1.0, 2.0):
        lost = (weights * np.log2(1 + np.exp(-2 * (1 + sigma * nodes) / sigma**2))).sum() / weights.sum()
        table = observed(joint("copy", 2), [0], [sigma, 1.0])
        assert mutual_information(table, [0]) == pytest.approx(1 - lost, abs=2e-4)
