"""The interval of the main metric, for every kind of target."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from crossfade.analysis.intervals import replicates
from crossfade.evaluation.scored import Scored
from crossfade.evaluation.summary import main_interval, main_resamples
from crossfade.specs import TargetSpec
from crossfade.targets import make_target
from crossfade.training.module import compute_metrics

FITTED = {
    "multiclass": {"classes": ["a", "b"], "counts": [1, 1]},
    "multilabel": {"classes": ["a", "b"], "shares": [0.5, 0.5]},
    "regression": {"mean": [0.0], "sd": [1.0]},
}


def scored(kind, samples=400, unknown=0):
    """A target and predictions of it that are often wrong; the truth of the last `unknown` samples is not known."""
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(samples, 2, generator=draw)
    if kind == "multiclass":
        truth = torch.randint(0, 2, (samples,), generator=draw)
        prediction = (torch.nn.functional.one_hot(truth, 2) + noise).softmax(-1)
        hidden = torch.full((unknown,), -1)
    elif kind == "multilabel":
        truth = torch.randint(0, 2, (samples, 2), generator=draw).float()
        prediction = (4 * truth - 2 + 2 * noise).sigmoid()
        hidden = torch.full((unknown, 2), math.nan)
    else:
        truth = torch.randn(samples, 1, generator=draw)
        prediction = truth + noise[:, :1]
        hidden = torch.full((unknown, 1), math.nan)
    truth = torch.cat([truth, hidden])
    prediction = torch.cat([prediction, prediction[:unknown]])
    names = [str(i) for i in range(len(truth))]
    target = make_target(TargetSpec(name="y", kind=kind), FITTED[kind], 4)
    return target, Scored({"y": prediction}, {"y": truth}, {}, names, names)


@pytest.mark.parametrize("kind", FITTED)
def test_samples_without_a_truth_change_nothing(kind):
    assert main_interval(*scored(kind), "y") == main_interval(*scored(kind, unknown=50), "y")


def test_that_of_a_mean_error_is_the_normal_one():
    target, found = scored("regression")
    error = (found.prediction["y"] - found.truth["y"]).abs()
    half = 1.96 * float(error.std()) / math.sqrt(len(error))
    low, high = main_interval(target, found, "y")
    assert low == pytest.approx(float(error.mean()) - half, abs=0.1 * half)
    assert high == pytest.approx(float(error.mean()) + half, abs=0.1 * half)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_a_larger_test_set_gives_a_narrower_one(kind):
    wide, narrow = (main_interval(*scored(kind, samples), "y") for samples in (100, 1600))
    assert narrow[1] - narrow[0] == pytest.approx((wide[1] - wide[0]) / 4, rel=0.35)


def test_the_draws_of_a_run_are_the_same_for_two_models_and_give_its_interval():
    target, found = scored("multilabel")
    draws = main_resamples(SimpleNamespace(targets={"y": target}), found)["y"]
    assert draws[0] == pytest.approx(compute_metrics(target, found.prediction["y"], found.truth["y"])["f1"])
    assert main_interval(target, found, "y") == main_interval(target, found, "y", draws)
    rows = []
    replicates(lambda drawn: rows.append(drawn) or 0.0, [np.arange(len(found.ids))], np.array(found.groups), 5)
    expected = [f1_score(found.truth["y"][r], found.prediction["y"][r] >= 0.5, average="macro") for r in rows]
    assert draws[:6].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_means_and_confusions_need_no_draws(kind):
    target, found = scored(kind)
    assert main_resamples(SimpleNamespace(targets={"y": target}), found) == {}
