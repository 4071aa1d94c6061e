"""Protocols of absence: their rates and dependences, what they must never do, and that a run obeys them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, ndtri

import flow
import tiny
from crossfade.build import build_data
from crossfade.config import compose
from crossfade.data.absence.not_at_random import hidden_with
from crossfade.data.absence.scores import truth_score, value_score
from crossfade.errors import UserError

NAMES = ("a", "b", "c")
FIELDS = {"structured": {"patterns": [["a", "b"], ["c"]]}}
PROTOCOLS = [name for name in tiny.options("absence") if name != "none"]


def protocol(name, **fields):
    return tiny.made(tiny.part("absence", name, **{**FIELDS.get(name, {}), **fields}), modalities=NAMES)


def nothing_known(of):
    raise AssertionError(f"nobody should ask for {of}")


@pytest.mark.parametrize("name", PROTOCOLS)
@given(seed=st.integers(0, 2**32 - 1), samples=st.integers(1, 60), there=st.floats(0.2, 1.0))
@settings(max_examples=40, deadline=None)
def test_a_sample_keeps_one_modality_and_gets_none_that_it_lacked(name, seed, samples, there):
    rng = np.random.default_rng(seed)
    present = rng.random((samples, 3)) < there
    present[~present.any(1), 0] = True
    kept = protocol(name).keep(present, lambda of: rng.normal(size=samples), rng)
    assert kept.any(1).all()
    assert not (kept & ~present).any()


def test_rates_are_kept_and_a_modality_that_is_not_named_stays():
    present, rng = np.ones((50_000, 3), bool), np.random.default_rng(0)
    kept = protocol("rate", rate={"a": 0.5, "c": 0.2}).keep(present, nothing_known, rng)
    assert 1 - kept.mean(0) == pytest.approx([0.5, 0.0, 0.2], abs=0.01)
    kept = protocol("rate", rate=0.6).keep(present, nothing_known, rng)
    # of the 0.6³ of the samples that would lose all, each keeps one of three
    assert 1 - kept.mean(0) == pytest.approx([0.6 - 0.6**3 / 3] * 3, abs=0.01)


@pytest.mark.parametrize("rate", [0.05, 0.4, 0.9])
def test_absence_that_is_not_at_random_has_the_mean_rate_and_the_slope_of_the_formula(rate):
    score = np.random.default_rng(0).normal(size=4000)
    p = hidden_with(rate, 1.5 * score)
    assert p.mean() == pytest.approx(rate, abs=1e-9)
    logit = np.log(p / (1 - p))
    np.testing.assert_allclose(logit - logit[0], 1.5 * (score - score[0]), atol=1e-6)
    assert hidden_with(0.0, score).max() == 0


def test_what_is_hidden_depends_on_the_score_and_with_strength_0_does_not():
    rng = np.random.default_rng(0)
    score = rng.normal(size=40_000)
    present = np.ones((len(score), 3), bool)
    for strength in (0.0, 2.0):
        kept = protocol("not_at_random", rate={"b": 0.3}, strength=strength).keep(present, lambda of: score, rng)
        assert 1 - kept.mean(0) == pytest.approx([0.0, 0.3, 0.0], abs=0.01)
        p = hidden_with(0.3, strength * score)
        high = score > 1
        assert 1 - kept[high, 1].mean() == pytest.approx(p[high].mean(), abs=0.02)
    assert p[high].mean() > 0.6


def test_which_score_is_asked_for():
    asked = []
    for by in ("label", "value"):
        protocol("not_at_random", by=by).keep(
            np.ones((9, 3), bool), lambda of: asked.append(of) or np.zeros(9), np.random.default_rng(0)
        )
    assert asked == ["label"] * 3 + list(NAMES)


def test_only_the_given_patterns_occur_each_as_often():
    present = np.ones((20_000, 3), bool)
    kept = protocol("structured").keep(present, nothing_known, np.random.default_rng(0))
    rows, counts = np.unique(kept, axis=0, return_counts=True)
    assert rows.tolist() == [[False, False, True], [True, True, False]]
    assert counts / len(kept) == pytest.approx([0.5, 0.5], abs=0.02)
    present[:, 2] = False
    kept = protocol("structured").keep(present, nothing_known, np.random.default_rng(0))
    assert kept.tolist() == [[True, True, False]] * len(kept)
    only_c = protocol("structured", patterns=[["c"]]).keep(present, nothing_known, np.random.default_rng(0))
    assert (only_c == present).all()


def test_scores_of_truths_and_values():
    classes = truth_score(torch.tensor([0, 1, 2, -1, 1]), np.random.default_rng(0), 3)
    quantiles = ndtri((np.arange(3) + 0.5) / 3)
    assert sorted(classes[:3]) == pytest.approx(quantiles.tolist(), abs=1e-12)
    assert np.isnan(classes[3])
    assert classes[4] == classes[1]
    numbers = truth_score(torch.tensor([[1.0], [3.0], [float("nan")]]), np.random.default_rng(0), 1)
    np.testing.assert_allclose(numbers, [-1, 1, np.nan])
    lengths = value_score(torch.tensor([[5, 6, 0, 0], [5, 6, 7, 8]]), pad=0)
    np.testing.assert_allclose(lengths, [-1, 1])
    np.testing.assert_allclose(value_score(torch.tensor([[1.0, 1.0], [1.0, 1.0]]), None), [0, 0])


def test_a_split_without_the_last_class_has_the_classes_in_the_order_of_the_others(tmp_path):
    data = build_data(flow.config(flow.data_set(tmp_path, samples=120), "task.targets=[outcome]"))
    data.prepare()
    truth = data.samples.truth["outcome"]
    last = int(truth.max())
    every = torch.arange(len(truth))
    few = every[truth < last]
    for seed in range(20):
        whole, part = (data._score("label", rows, np.random.default_rng(seed)) for rows in (every, few))
        assert (whole[few.numpy()] == part).all()
    unknown = torch.full((3,), -1)
    assert np.isnan(truth_score(unknown, np.random.default_rng(0), last + 1)).all()


@pytest.mark.parametrize("by", ["label", "value"])
def test_training_and_validation_lack_what_is_hidden_the_test_split_does_not_and_again_the_same(tmp_path, by):
    manifest = flow.data_set(tmp_path, samples=120)
    settings_ = ("absence=not_at_random", f"absence.by={by}", "absence.rate=0.4", "task.targets=[outcome]")
    presences = []
    for _ in range(2):
        data = build_data(flow.config(manifest, *settings_))
        data.prepare()
        presences.append(data.samples.present)
    assert torch.equal(*presences)
    hidden = {name: 1 - presences[0][torch.from_numpy(rows)].float().mean().item() for name, rows in data.split.items()}
    assert hidden["test"] == 0
    assert hidden["train"] == pytest.approx(0.4, abs=0.1)
    assert hidden["val"] > 0
    if by == "label":
        rows = torch.from_numpy(data.split["train"])
        truth, there = data.samples.truth["outcome"][rows], presences[0][rows].float()
        rates = torch.stack([1 - there[truth == c].mean(0) for c in range(3)])
        wanted = sorted(expit(2.0 * ndtri((np.arange(3) + 0.5) / 3) - 0.6))
        for column in range(3):
            assert sorted(rates[:, column].tolist()) == pytest.approx(wanted, abs=0.3)
            assert rates[:, column].max() - rates[:, column].min() > 0.3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("absence.rate=1.0", r"absence.rate=1.0: must be in \[0, 1\)"),
        ("absence.rate={ct: 0.1, nota: 0.2}", 'nota is no modality of the run. Did you mean "note"'),
        ("absence.rate={ct: 2}", r"absence.rate.ct=2: must be in \[0, 1\)"),
        ("absence.splits=[trian]", "trian is none; allowed are train, val and test"),
    ],
)
def test_a_mistake_is_told_before_any_data_are_read(given, message):
    with pytest.raises(UserError, match=message):
        compose("absence=rate", given)


def test_patterns_must_be_lists_of_the_runs_modalities():
    for patterns in ("[ct,note]", "[]", "[[]]"):
        with pytest.raises(UserError, match="must be a list of lists of modalities"):
            compose("absence=structured", f"absence.patterns={patterns}")
    with pytest.raises(UserError, match=r"absence\.patterns: needs a value"):
        compose("absence=structured")
