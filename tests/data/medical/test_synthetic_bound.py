"""The Bayes bound: against brute force and simulation, monotone, chance where nothing is to be known."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.data.medical.bound import accuracy, accuracy_with_missing
from crossfade.data.medical.synthetic import SyntheticPatients
from crossfade.data.medical.tables import DIAGNOSES, MODALITIES, PER_CENT, PRIOR, likelihood
from crossfade.data.synthetic.presence import presence_patterns
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec

SPECS = {
    "ct": ModalitySpec(kind="image"),
    "mri": ModalitySpec(kind="image", channels=2),
    "ultrasound": ModalitySpec(kind="image"),
    "note": ModalitySpec(kind="text"),
    "vitals": ModalitySpec(kind="table", categorical=["sex", "smoking"]),
}
TABLES = {m: likelihood(m) for m in MODALITIES}


def source(names=MODALITIES, **fields):
    return SyntheticPatients({n: SPECS[n] for n in names}, {}, 0, **fields)


@pytest.fixture(scope="module")
def states():
    return source(samples=1).state(np.arange(10_000))


def bound(names, **fields):
    return source(**fields).bayes("diagnosis", names).value


def bayes_guess(evidence, names, tables=TABLES):
    """argmax_c of the posterior, for each patient."""
    return np.prod([tables[m][:, evidence[m]] for m in names], axis=0).argmax(axis=0)


def test_every_column_of_the_tables_is_a_distribution():
    for rows in PER_CENT.values():
        assert np.array(list(rows.values())).sum(axis=0).tolist() == [100] * len(DIAGNOSES)


@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.lists(st.integers(1, 4), min_size=1, max_size=3))
@settings(max_examples=30, deadline=None)
def test_accuracy_equals_brute_force(seed, classes, sizes):
    rng = np.random.default_rng(seed)
    prior = rng.dirichlet(np.ones(classes))
    tables = [rng.dirichlet(np.ones(size), classes) for size in sizes]
    brute = sum(
        max(prior[c] * np.prod([t[c, e] for t, e in zip(tables, joint, strict=True)]) for c in range(classes))
        for joint in itertools.product(*map(range, sizes))
    )
    assert accuracy(prior, tables) == pytest.approx(brute, abs=1e-12)


@pytest.mark.parametrize("names", [("ct",), ("ct", "mri"), ("note", "vitals", "ultrasound"), MODALITIES])
def test_the_bayes_classifier_of_the_evidence_reaches_the_bound(states, names):
    right = (bayes_guess(states.evidence, names) == states.diagnosis).mean()
    expected = bound(names)
    assert abs(right - expected) < 4 * np.sqrt(expected * (1 - expected) / len(states.diagnosis))


def test_the_bound_with_missing_modalities_is_reached_by_the_bayes_classifier_of_what_is_there():
    n, names, missing = 4000, ("ct", "note", "vitals"), {"ct": 0.5, "note": 0.4, "vitals": 0.3}
    built = source(names, samples=n, missing=missing, informativeness={"ct": 0.8})
    state, present = built.state(np.arange(n)), built.frame().present
    tables = {**TABLES, "ct": likelihood("ct", 0.8)}
    posterior = np.ones((len(DIAGNOSES), n))
    for column, m in enumerate(names):
        posterior *= np.where(present[:, column], tables[m][:, state.evidence[m]], 1)
    right = (posterior.argmax(axis=0) == state.diagnosis).mean()
    expected = built.bayes("diagnosis", names).value
    assert abs(right - expected) < 4 * np.sqrt(0.25 / n)
    assert expected < source(names, informativeness={"ct": 0.8}).bayes("diagnosis", names).value


def test_one_modality_with_missing_mixes_its_accuracy_with_chance():
    alone, chance = accuracy(PRIOR, [TABLES["ct"]]), 1 / 6
    there = 0.5 / (1 - 0.5 * 0.2)  # ct is there, given that ct or note is
    value = accuracy_with_missing(PRIOR, TABLES, {"ct": 0.5, "note": 0.2}, ["ct"])
    assert value == pytest.approx(there * alone + (1 - there) * chance)


@given(st.lists(st.floats(0, 0.99), min_size=1, max_size=4))
def test_presence_patterns_are_all_but_the_empty_one_and_sum_to_one(missing):
    patterns, probability = presence_patterns(missing)
    assert len(patterns) == 2 ** len(missing) - 1
    assert patterns.any(axis=1).all()
    assert probability.sum() == pytest.approx(1)
    everything = np.prod([1 - r for r in missing]) / (1 - np.prod(missing))
    assert probability[-1] == pytest.approx(everything)


@pytest.mark.parametrize("fields", [{}, {"missing": 0.3}, {"informativeness": 0.5}])
def test_more_modalities_never_lower_the_bound(fields):
    built = source(**fields)
    value = {
        frozenset(s): built.bayes("diagnosis", s).value for k in range(6) for s in itertools.combinations(MODALITIES, k)
    }
    for subset in value:
        for extra in set(MODALITIES) - subset:
            assert value[subset | {extra}] >= value[subset] - 1e-12


def test_the_bound_grows_with_informativeness_and_is_chance_at_zero():
    values = [bound(MODALITIES, informativeness=x) for x in (0.0, 0.3, 0.6, 1.0)]
    assert values[0] == pytest.approx(1 / 6)
    assert values == sorted(values)
    half = bound(MODALITIES, informativeness={m: 0.0 for m in MODALITIES if m != "ct"})
    assert half == pytest.approx(bound(["ct"]))


def test_by_default_no_modality_suffices_and_all_together_nearly_do():
    singles = [bound([m]) for m in MODALITIES]
    assert min(singles) > 0.40
    assert max(singles) < 0.63
    assert 0.93 < bound(MODALITIES) < 0.97
    ends = source().bayes("diagnosis", MODALITIES)
    assert ends.low == ends.value == ends.high


def test_haemangioma_takes_two_modalities(states):
    """MRI alone never says haemangioma (it says cyst); with CT nearly always."""
    ours = states.diagnosis == DIAGNOSES.index("haemangioma")
    recall = {names: (bayes_guess(states.evidence, names)[ours] == 1).mean() for names in (("mri",), ("ct", "mri"))}
    assert recall[("mri",)] == 0
    assert recall[("ct", "mri")] > 0.75
    carcinoma = states.diagnosis == DIAGNOSES.index("hepatocellular carcinoma")
    assert (bayes_guess(states.evidence, ("ct",))[carcinoma] == 3).mean() == 0
    assert (bayes_guess(states.evidence, ("ct", "mri"))[carcinoma] == 3).mean() > 0.75


def test_no_bound_for_other_targets_and_an_error_for_modalities_not_in_the_run():
    built = source(("ct", "note"))
    assert built.bayes("findings", ["ct"]) is None
    with pytest.raises(UserError, match="mri"):
        built.bayes("diagnosis", ["mri"])
