"""Any number of labels at once, against scikit-learn and the equations."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
import torch

from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets import make_target
from crossfade.targets.multilabel import MultiLabel
from crossfade.training.module import compute_metrics

FITTED = {"classes": ["s", "t"], "shares": [0.5, 0.2]}


def target(**fields):
    return make_target(TargetSpec(name="y", kind="multilabel", **fields), FITTED, 8)


def scores(samples=200):
    rng = np.random.default_rng(0)
    truth = (rng.random((samples, 2)) < [0.5, 0.2]).astype(np.float32)
    return torch.tensor(rng.normal(size=(samples, 2)) + truth, dtype=torch.float32), torch.tensor(truth)


def test_metrics_are_those_of_scikit_learn():
    output, truth = scores()
    probability = target().prediction(output)
    p, y = probability.numpy(), truth.numpy()
    assert compute_metrics(target(), probability, truth) == pytest.approx(
        {
            "f1": sk.f1_score(y, p >= 0.5, average="macro"),
            "accuracy": np.mean(y == (p >= 0.5)),
            "exact_match": sk.accuracy_score(y, p >= 0.5),
            "auroc": sk.roc_auc_score(y, p),
        },
        abs=1e-6,
    )


@pytest.mark.filterwarnings("ignore:No positive samples")
def test_a_label_that_never_holds_does_not_pull_auroc_down():
    output, truth = scores()
    truth[:, 1] = 0
    p = target().prediction(output)
    expected = sk.roc_auc_score(truth[:, 0], p[:, 0])
    assert compute_metrics(target(), p, truth)["auroc"] == pytest.approx(expected, abs=1e-6)


def test_unknown_truth_does_not_count():
    output, truth = scores()
    some = truth.clone()
    some[::3] = float("nan")
    known = torch.arange(200) % 3 != 0
    of = target()
    a = compute_metrics(of, of.prediction(output), some)
    assert a == pytest.approx(compute_metrics(of, of.prediction(output[known]), truth[known]), abs=1e-6)
    torch.testing.assert_close(of.loss(output, some), of.loss(output[known], truth[known]))
    assert of.loss(output, torch.full_like(truth, float("nan"))) == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_loss(smoothing, weights):
    output, truth = scores(30)
    of = target(label_smoothing=smoothing, class_weights=weights)
    p = 1 / (1 + np.exp(-output.double().numpy()))
    wanted = truth.numpy() * (1 - smoothing) + smoothing / 2
    positive = np.array([1.0, 4.0]) if weights == "balanced" else np.ones(2)  # (1 − share)/share
    expected = np.mean(-(positive * wanted * np.log(p) + (1 - wanted) * np.log(1 - p)))
    assert of.loss(output, truth).item() == pytest.approx(expected, abs=1e-5)


def test_mix_is_the_mixture_of_probabilities():
    outputs = 3 * torch.randn(3, 2, 2)
    weight = torch.tensor([[0.3, 0.7], [1.0, 0.0], [0.5, 0.5]])
    expected = (weight.unsqueeze(-1) * outputs.sigmoid()).sum(1)
    torch.testing.assert_close(target().mix(outputs, weight).sigmoid(), expected, atol=1e-6, rtol=1e-5)


def test_chance_fit_and_encode():
    spec = TargetSpec(name="y", kind="multilabel")
    fitted = MultiLabel.fit(spec, [["t", "s"], [], None, ["s"], []])
    assert fitted == {"classes": ["s", "t"], "shares": [0.5, 0.25]}
    encoded = MultiLabel.encode(spec, fitted, [["t"], [], None])
    assert encoded[:2].tolist() == [[0, 1], [0, 0]]
    assert encoded[2].isnan().all()
    torch.testing.assert_close(target().chance(torch.zeros(2, 2)), torch.tensor([[0.5, 0.2]] * 2))


def test_errors_name_the_label():
    spec = TargetSpec(name="y", kind="multilabel")
    with pytest.raises(UserError, match="no label at all"):
        MultiLabel.fit(spec, [None, []])
    with pytest.raises(UserError, match=r"'u' \(row 1\) unseen in training"):
        MultiLabel.encode(spec, FITTED, [["s", "u"]])


def test_columns():
    table = target().columns(np.array([[0.7, 0.6], [0.1, 0.2]]), np.array([[0.0, 1.0], [np.nan, np.nan]]))
    assert table["y.truth"][0] == "t"
    assert table["y.truth"].isna().tolist() == [False, True]
    assert table["y.predicted"].tolist() == ["s|t", ""]
    assert table["y.p(t)"].tolist() == [0.6, 0.2]
