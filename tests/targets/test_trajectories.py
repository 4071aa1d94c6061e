"""Futures of agents: errors by hand, the mode that learns, scenes without agents."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets import make_target
from crossfade.targets.displacement import errors
from crossfade.targets.trajectories import Trajectories
from crossfade.training.module import compute_metrics

NAN = float("nan")
FIELDS = {"grid": 4, "extent": [0, 32, -16, 16], "hidden": 8, "modes": 2, "steps": 3, "degree": 2}


def spec(**fields):
    return TargetSpec(name="y", kind="trajectories", **{**FIELDS, **fields})


def agents(*ways):
    return np.array(ways, dtype=np.float32).reshape(-1, 4, 2)


CAR = [[22.0, 2.0], [24.0, 2.0], [26.0, 2.0], [28.0, 2.0]]  # all three in the middle of a cell
WALKER = [[6.0, -6.0], [6.0, -5.0], [6.0, -4.0], [6.0, -3.0]]
LOST = [[10.0, 6.0], [11.0, 6.0], [NAN, NAN], [NAN, NAN]]


def target(*truths, **fields):
    torch.manual_seed(0)
    return make_target(spec(**fields), Trajectories.fit(spec(**fields), truths or [agents(CAR, WALKER)]), 8)


def encoded(of, *truths):
    return Trajectories.encode(of.spec, of.fitted, truths)


def raster(of, samples, **cells):
    """Predictions that are 0 but in the named cells: row_column=(futures (M, T, 2) in m, probabilities (M,))."""
    out = of.chance(torch.zeros(samples, 1, 4, 2))
    for name, (futures, probability) in cells.items():
        row, column = map(int, name[1:].split("_"))
        out[:, :12, row, column] = torch.tensor(futures, dtype=torch.float32).flatten()
        out[:, 12:, row, column] = torch.tensor(probability)
    return out


def test_errors_by_hand():
    truth = torch.tensor([[[2.0, 0], [4, 0], [6, 0]], [[1, 0], [NAN, NAN], [NAN, NAN]], [[NAN, NAN]] * 3])
    straight, left = [[2.0, 0], [4, 0], [6, 3]], [[2.0, 1], [4, 1], [6, 1]]
    futures = torch.tensor([[straight, left]]).expand(3, -1, -1, -1)
    found = errors(futures, torch.tensor([[0.9, 0.1]]).expand(3, -1), truth)
    # the nearest mode has p = 0.9: (1 − 0.9)² more
    expected = [[1.0, 1.0, 0.0, 1.0, 1.01], [1.0, NAN, NAN, 1.0, 1.01], [NAN] * 5]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    # with the first mode alone: 3 m off at the end is a miss
    one = errors(futures[:1, :1], torch.ones(1, 1), truth[:1])
    np.testing.assert_allclose(one.numpy(), [[1.0, 3.0, 1.0, 1.0, 1.0]], rtol=1e-6)


def test_metrics_are_means_over_agents_at_the_cells_where_they_are():
    of = target()
    truth = encoded(of, agents(CAR, WALKER), agents(), agents(CAR), None)
    moves = [[[2.0, 0], [4, 0], [6, 0]], [[0, 0], [0, 0], [0, 0]]]
    # row (32 − 22)/4 and column (16 − 2)/4 on 8 × 8 cells of 4 m
    prediction = raster(of, 4, c2_3=(moves, [0.3, 0.7]))
    ours = compute_metrics(of, prediction, truth)
    # both cars are met by the first mode, the likelier one stands still (4 m); the walker stands still (2 m, 3 m)
    expected = {"min_ade": 2 / 3, "min_fde": 3 / 3, "miss_rate": 1 / 3, "likeliest_ade": (4 + 2 + 4) / 3}
    # the cars' mode has p = 0.3, the walker's one half
    expected["brier_ade"] = (2 * 0.7**2 + 2 + 0.5**2) / 3
    assert ours == pytest.approx(expected, abs=1e-5)
    known = of.known(truth)
    value = of.resampled(prediction[known], truth[known])
    assert value(np.arange(3)) == pytest.approx((2 * 0.7**2 + 2 + 0.5**2) / 3)
    assert value(np.array([0, 0, 0])) == pytest.approx((0.7**2 + 2 + 0.5**2) / 2)
    assert np.isnan(value(np.array([1, 1, 1])))


def test_scenes_without_agents_are_known_and_cost_nothing():
    of = target()
    truth = encoded(of, agents(), agents(), None)
    assert of.known(truth).tolist() == [True, True, False]
    output = torch.randn(3, 10, 8, 8, requires_grad=True)
    loss = of.loss(output, truth)
    loss.backward()
    assert loss == 0
    assert not output.grad.any()
    assert all(np.isnan(v) for v in compute_metrics(of, of.prediction(output.detach()), truth).values())
    assert of.columns(of.prediction(output.detach()).numpy(), truth.numpy())["y.agents"].tolist()[:2] == [0, 0]


def test_agents_not_seen_now_or_outside_are_left_out_and_later_gaps_stay():
    of = target()
    gone, far = [[NAN, NAN], *CAR[1:]], [[50.0, 0.0]] * 4
    truth = encoded(of, agents(gone, LOST, far, CAR))
    np.testing.assert_array_equal(truth[0, 1:], agents(LOST, CAR))


def test_only_the_nearest_mode_learns_and_is_named():
    of = target(mode_weight=0.5)
    truth = encoded(of, agents(CAR, LOST))
    output = torch.randn(1, 10, 8, 8, requires_grad=True)
    loss = of.loss(output, truth)
    loss.backward()
    expected = []
    for way, row, column in ((CAR, 2, 3), (LOST, 5, 2)):
        wanted = (np.array(way)[1:] - way[0]) / of.scale.numpy()
        coefficients = output[0, :8, row, column].detach().numpy().reshape(2, 2, 2)
        moves = of.basis.numpy() @ coefficients / of.scale.numpy()
        each = np.nanmean(np.abs(moves - wanted).sum(-1), axis=-1)
        best = each.argmin()
        logits = output[0, 8:, row, column].detach().double().numpy()
        expected.append(each[best] - 0.5 * (logits - np.log(np.exp(logits).sum()))[best])
        grad = output.grad[0, :8, row, column].reshape(2, 2, 2)
        assert grad[best].any()
        assert not grad[1 - best].any()
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-5)
    assert not output.grad[0, :, 0, 0].any()


def test_between_two_middles_an_agent_takes_of_both():
    of = target()
    far, near = [[[4.0, 0], [8, 0], [12, 0]]] * 2, [[[0.0, 0], [0, 0], [0, 0]]] * 2
    prediction = raster(of, 1, c2_3=(far, [1.0, 0.0]), c3_3=(near, [0.2, 0.8]))
    between = np.array(CAR) - [1.0, 0.0]  # a quarter of the way to the cell behind
    truth = encoded(of, agents(between))
    moves, probability = of._of_agents(prediction, truth)
    assert moves[0, 0, 0, :, 0].tolist() == pytest.approx([3.0, 6.0, 9.0])
    assert probability[0, 0].tolist() == pytest.approx([0.8, 0.2])
    assert compute_metrics(of, prediction, truth)["min_ade"] == pytest.approx((1 + 2 + 3) / 3)


def test_scale_prediction_and_chance():
    of = target()
    root = np.sqrt(np.array([4 + 1, 16 + 4, 36 + 9]) / 4)  # of one coordinate, over two agents
    np.testing.assert_allclose(of.fitted["scale"], root)
    # steady motion alone: coefficients of all agents are 1 and 2 m/step times √(1 + 4 + 9), of one coordinate
    np.testing.assert_allclose(of.fitted["coefficients"], [root[0] * np.sqrt(14), 0.01], rtol=1e-6)
    output = torch.zeros(1, 10, 8, 8)
    output[:, :2] = 1.0  # of the first mode and polynomial, x and y
    prediction = of.prediction(output)
    assert prediction[0, :6, 0, 0].tolist() == pytest.approx(np.repeat(root, 2).tolist())
    assert not prediction[0, 6:12].any()
    assert prediction[0, 12:, 0, 0].tolist() == [0.5, 0.5]
    truth = encoded(of, agents(CAR))
    assert compute_metrics(of, of.chance(truth), truth)["min_ade"] == pytest.approx(4.0)


def test_mix_by_hand():
    of = target()
    outputs, weight = torch.randn(2, 3, 10, 8, 8), torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    mixed = of.mix(outputs, weight)
    torch.testing.assert_close(mixed[0, :8], torch.einsum("g,gchw->chw", weight[0], outputs[0, :, :8]))
    p = torch.einsum("g,gchw->chw", weight[0], outputs[0, :, 8:].softmax(1))
    torch.testing.assert_close(mixed[0, 8:].softmax(0), p)


def test_columns_and_arrays():
    of = target()
    truth = encoded(of, agents(CAR, WALKER), None)
    table = of.columns(of.chance(truth).numpy(), truth.numpy())
    assert table["y.agents"].tolist()[0] == 2
    assert table["y.min_ade"].tolist()[0] == pytest.approx(3.0)
    assert table.iloc[1].isna().all()
    arrays = of.arrays(of.chance(truth).numpy())
    assert arrays["futures"].shape == (2, 8, 8, 2, 3, 2)
    assert arrays["probability"].shape == (2, 8, 8, 2)


@pytest.mark.parametrize(
    ("truths", "says"),
    [
        ([agents(), None], r"target\.y: no agent within extent=\[0, 32, -16, 16\] m in the training split"),
        (
            [np.zeros((2, 3, 2))],
            r"training sample 1 has shape \(2, 3, 2\), expected \(A, 4, 2\): x, y \(m\) now and at 3 later",
        ),
        ([None, agents([[1, 1], [np.inf, 0], [0, 0], [0, 0]])], "training sample 2 holds infinite values"),
    ],
)
def test_faults_of_the_truth_are_named(truths, says):
    with pytest.raises(UserError, match=says):
        Trajectories.fit(spec(), truths)
