"""Calibration, conformal sets and selective risk against references, closed forms and simulations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import log_loss as sklearn_log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

import flow
from crossfade import experiment
from crossfade.analysis.confidence import (
    brier,
    calibration_error,
    conformal_sets,
    conformal_threshold,
    fitted_temperature,
    log_loss,
    selective_risk,
    tempered,
)
from crossfade.runs import RunFolder


def drawn(samples, classes=4, temperature=1.0, seed=0):
    """Labels that are drawn from softmax(logit), and the probabilities softmax(logit / temperature)."""
    rng = np.random.default_rng(seed)
    logit = 2 * rng.normal(size=(samples, classes))
    p = softmax(logit, axis=1)
    label = (p.cumsum(1) < rng.random((samples, 1))).sum(1).clip(max=classes - 1)
    return softmax(logit / temperature, axis=1), label


@pytest.mark.parametrize("wrong", [0.4, 1.0, 2.5])
def test_the_temperature_undoes_the_one_that_was_applied(wrong):
    p, label = drawn(20_000, temperature=wrong)
    found = fitted_temperature(p, label)
    assert found == pytest.approx(1 / wrong, rel=0.05)
    assert calibration_error(tempered(p, found), label) < 0.02
    assert log_loss(tempered(p, found), label) <= log_loss(p, label) + 1e-6
    assert fitted_temperature(p[:0], label[:0]) == 1.0


def test_scores_are_those_of_the_references():
    p, label = drawn(500, temperature=0.5)
    reference = multiclass_calibration_error(torch.from_numpy(p), torch.from_numpy(label), num_classes=4, n_bins=15)
    assert calibration_error(p, label) == pytest.approx(float(reference), abs=1e-6)
    assert log_loss(p, label) == pytest.approx(sklearn_log_loss(label, p), abs=1e-6)
    assert brier(np.array([[0.7, 0.3], [0.2, 0.8]]), np.array([0, 0])) == pytest.approx((0.18 + 1.28) / 2)


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_sets_hold_the_truth_as_often_as_promised_however_bad_the_model(alpha):
    # the mean over calibration splits lies in [1 − α, 1 − α + 1/(n + 1)]
    rng, n, coverages = np.random.default_rng(0), 60, []
    p, label = drawn(40_000, temperature=4.0)
    for _ in range(400):
        rows = rng.choice(len(label), n + 200, replace=False)
        threshold = conformal_threshold(p[rows[:n]], label[rows[:n]], alpha)
        coverages.append(conformal_sets(p[rows[n:]], label[rows[n:]], threshold, rows[n:]).coverage)
    assert 1 - alpha - 0.01 < np.mean(coverages) < 1 - alpha + 1 / (n + 1) + 0.01


def test_the_threshold_is_the_rank_of_the_formula_and_too_few_samples_give_all_classes():
    p = np.stack([np.linspace(0.05, 0.95, 19), 1 - np.linspace(0.05, 0.95, 19)], 1)
    label = np.zeros(19, int)
    assert conformal_threshold(p, label, 0.1) == pytest.approx(np.sort(p[:, 0])[::-1][18 - 1])
    assert conformal_threshold(p, label, 0.04) == 0.0
    sets = conformal_sets(p, label, 0.0, np.arange(19))
    assert (sets.coverage, sets.size, sets.certain) == (1.0, 2.0, 0.0)
    assert sets.low < 1 <= sets.high


def test_the_interval_of_coverage_counts_groups_and_not_samples():
    p, label = drawn(300)
    once = conformal_sets(p, label, 0.2, np.arange(300))
    four = conformal_sets(np.repeat(p, 4, 0), np.repeat(label, 4), 0.2, np.repeat(np.arange(300), 4))
    assert four.coverage == pytest.approx(once.coverage)
    assert (four.low, four.high) == pytest.approx((once.low, once.high), abs=0.015)
    every = conformal_sets(np.repeat(p, 4, 0), np.repeat(label, 4), 0.0, np.repeat(np.arange(300), 4))
    assert every.low == pytest.approx(0.025 ** (1 / 300))


def test_selective_risk_by_hand_and_ties_share():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.8, 0.2], [0.4, 0.6]])
    label = np.array([0, 1, 0, 1])
    coverage, risk = selective_risk(p, label)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    np.testing.assert_allclose(risk, [0, 0.25, 1 / 3, 0.25])
    order = [0, 2, 1, 3]
    np.testing.assert_allclose(selective_risk(p[order], label[order])[1], risk)


def test_a_run_writes_temperature_and_sets_of_every_pattern(tmp_path):
    manifest = flow.data_set(tmp_path, samples=150)
    config = flow.config(manifest, "patterns=true", "trainer.epochs=6", "data.split=[0.4,0.3,0.3]")
    experiment.run(config, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    table, predictions = folder.table("certainty_outcome"), folder.predictions("test")
    assert len(table) == 7
    assert table["samples"].tolist() == [len(predictions)] * 7
    p = predictions[[f"outcome.p({c})" for c in "abc"]].to_numpy()
    label = predictions["outcome.truth"].map("abc".index).to_numpy()
    assert table["calibration_error"][0] == pytest.approx(calibration_error(p, label), abs=1e-6)
    assert table["log_loss"][0] == pytest.approx(log_loss(p, label), abs=1e-5)
    assert (table["coverage"] >= table["low"]).all()
    assert table["coverage"].mean() > 0.8
    assert table["size"].between(0, 3).all()
    kept = folder.summary()["certainty"]["outcome"]
    assert kept["temperature"] == pytest.approx(table["temperature"][0])
    assert kept["alpha"] == 0.1
    assert (folder.figures / "certainty_outcome.png").stat().st_size > 5000
