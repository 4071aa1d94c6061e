"""One or several numbers, in their unit."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from scipy.special import huber

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets import make_target
from crossfade.targets.regression import Regression
from crossfade.targets.scores import R2
from crossfade.training.module import compute_metrics

SPEC = TargetSpec(name="size", kind="regression", unit="mm", column=["width", "height"])
FITTED = {"mean": [30.0, -5.0], "sd": [10.0, 0.5]}


def target():
    return make_target(SPEC, FITTED, 8)


def scores(samples=50):
    rng = np.random.default_rng(0)
    output = rng.normal(size=(samples, 2))
    truth = (output + rng.normal(size=(samples, 2))) * FITTED["sd"] + FITTED["mean"]
    return torch.tensor(output, dtype=torch.float32), torch.tensor(truth, dtype=torch.float32)


def test_predictions_and_metrics_are_in_the_targets_unit():
    output, truth = scores()
    prediction = target().prediction(output)
    np.testing.assert_allclose(prediction.numpy(), output.numpy() * [10.0, 0.5] + [30.0, -5.0], rtol=1e-5)
    assert compute_metrics(target(), prediction, truth) == pytest.approx(
        {
            "mae": sk.mean_absolute_error(truth, prediction),
            "rmse": np.sqrt(np.mean((truth.numpy() - prediction.numpy()) ** 2)),
            "r2": sk.r2_score(truth, prediction),
        },
        rel=1e-4,
    )


def test_loss_is_hubers_on_the_standardised_value():
    output, truth = scores()
    error = (truth.numpy() - FITTED["mean"]) / FITTED["sd"] - output.numpy()
    assert target().loss(output, truth).item() == pytest.approx(huber(1.0, error).mean(), abs=1e-5)


def test_unknown_truth_does_not_count():
    output, truth = scores()
    some = truth.clone()
    some[::2] = float("nan")
    torch.testing.assert_close(target().loss(output, some), target().loss(output[1::2], truth[1::2]))
    a = compute_metrics(target(), target().prediction(output), some)
    assert a == pytest.approx(compute_metrics(target(), target().prediction(output[1::2]), truth[1::2]), rel=1e-5)
    assert target().loss(output, torch.full_like(truth, float("nan"))) == 0


def test_fit_encode_mix_and_chance():
    fitted = Regression.fit(SPEC, [[1.0, 7.0], None, [3.0, 7.0]])
    assert fitted == {"mean": [2.0, 7.0], "sd": [1.0, 1.0]}  # a constant column keeps its unit
    encoded = Regression.encode(SPEC, fitted, [[1.0, 2.0], None])
    assert encoded[0].tolist() == [1.0, 2.0]
    assert encoded[1].isnan().all()
    assert Regression.fit(TargetSpec(kind="regression"), [1.0, 3.0]) == {"mean": [2.0], "sd": [1.0]}
    mixed = target().mix(torch.tensor([[[1.0, 0.0], [3.0, 8.0]]]), torch.tensor([[0.25, 0.75]]))
    assert mixed.tolist() == [[2.5, 6.0]]
    chance = target().chance(torch.zeros(3, 2))
    assert chance.tolist() == [[30.0, -5.0]] * 3


def test_a_new_head_predicts_on_the_scale_of_the_truth():
    torch.manual_seed(0)
    r = torch.randn(200, 8)
    prediction = target().prediction(target()(Representation(r, r[:, None], torch.ones(200, 1, dtype=torch.bool))))
    assert torch.allclose(prediction.mean(0), torch.tensor([30.0, -5.0]), atol=10.0)


def test_too_little_truth_is_said():
    with pytest.raises(UserError, match="fewer than two known values"):
        Regression.fit(SPEC, [None, [1.0, 2.0]])


def test_columns_are_named_by_the_manifests_columns():
    table = target().columns(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]))
    assert table.iloc[0].to_dict() == {
        "size.truth[width]": 3.0,
        "size.predicted[width]": 1.0,
        "size.truth[height]": 4.0,
        "size.predicted[height]": 2.0,
    }
    one = make_target(TargetSpec(name="size", kind="regression"), {"mean": [0.0], "sd": [1.0]}, 8)
    assert list(one.columns(np.zeros((1, 1)), None)) == ["size.predicted"]


@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1e-4), (1e5, 1.0)])
def test_r2_holds_for_small_units_and_far_from_zero(offset, scale):
    rng = np.random.default_rng(0)
    truth = (offset + scale * rng.normal(size=(50, 1))).astype(np.float32)
    prediction = (truth + 0.3 * scale * rng.normal(size=(50, 1))).astype(np.float32)
    metric = R2()
    metric.update(torch.from_numpy(prediction), torch.from_numpy(truth))
    expected = sk.r2_score(truth.astype(np.float64), prediction.astype(np.float64))
    assert float(metric.compute()) == pytest.approx(expected, abs=1e-6)


def test_r2_of_a_constant_truth_is_not_defined():
    metric = R2()
    metric.update(torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [3.0]]))
    assert metric.compute().isnan()


def test_a_constant_training_split_is_an_error():
    with pytest.raises(UserError, match=r"all 2 known values of the training split are \[3.0\]"):
        Regression.fit(SPEC, [3.0, None, 3.0])
