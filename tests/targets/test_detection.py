"""Boxes in bird's-eye view: the focal loss by hand, decoding, and average precision against a plain loop."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.plane import Plane
from crossfade.specs import TargetSpec
from crossfade.targets import make_target
from crossfade.targets.average_precision import Curves, match
from crossfade.targets.detection import Detection
from crossfade.training.module import compute_metrics

NAN = float("nan")
CLASSES = ["pedestrian", "vehicle"]
EXTENT = (0.0, 32.0, -16.0, 16.0)
CAR = [1, 20.5, 3.0, 4.5, 1.9, 0.1, 8.0, 0.5]
WALKER = [0, 8.0, -6.0, 0.6, 0.6, 1.5, 0.0, 1.4]


def spec(**fields):
    given = {"classes": CLASSES, "grid": 4, "extent": list(EXTENT), "hidden": 8, "boxes": 6, **fields}
    return TargetSpec(name="y", kind="detection", **given)


def scene(*boxes):
    return np.array(boxes, dtype=np.float32).reshape(-1, 8)


def target(truths=None, **fields):
    torch.manual_seed(0)
    truths = truths or [scene(CAR, WALKER), scene(WALKER)]
    return make_target(spec(**fields), Detection.fit(spec(**fields), truths), 8)


def encoded(of, *truths):
    return Detection.encode(of.spec, of.fitted, truths)


def test_place_and_cell_of_the_plane():
    plane = Plane(EXTENT, 8)  # cells of 4 m
    xy = torch.tensor([[31.9, 15.9], [0.0, -15.9], [20.5, 3.0], [32.5, 0.0], [NAN, 0.0]])
    assert plane.index(plane.place(xy))[:3].tolist() == [0, 63, 2 * 8 + 3]
    assert plane.inside(plane.place(xy)).tolist() == [True, False, True, False, False]  # x_min is the far edge
    torch.testing.assert_close(plane.metres(plane.place(xy[:3])), xy[:3])
    torch.testing.assert_close(plane.centres()[2 * 8 + 3], torch.tensor([22.0, 2.0]))


def test_an_empty_scene_is_known_and_boxes_outside_are_left_out():
    of = target()
    far, behind = [1, 200.0, 0, 4, 2, 0, 0, 0], [1, -3.0, 0, 4, 2, 0, 0, 0]
    truth = encoded(of, scene(), None, scene(CAR, far, behind), scene(CAR, WALKER))
    assert of.known(truth).tolist() == [True, False, True, True]
    assert (~truth[:, 1:, 0].isnan()).sum(1).tolist() == [0, 0, 1, 2]
    assert truth[2, 1].tolist() == pytest.approx(CAR)
    assert Detection.lacking(of.fitted, truth[:3]) == ["pedestrian"]


def test_loss_is_the_focal_loss_and_the_distance_of_the_boxes():
    of = target(sigma=1.0, box_weight=0.5)
    truth = encoded(of, scene(CAR, WALKER), scene())
    output = torch.randn(2, 2 + 8, 8, 8)
    p = 1 / (1 + np.exp(-output.double().numpy()[:, :2]))
    heat = np.zeros((2, 2, 8, 8))
    rows, columns = np.mgrid[:8, :8]
    cells = {1: (2, 3), 0: (6, 5)}  # class → row (32 − x)/4, column (16 − y)/4
    for label, (row, column) in cells.items():
        heat[0, label] = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 2)
    focal = np.where(heat == 1, (1 - p) ** 2 * np.log(p), (1 - heat) ** 4 * p**2 * np.log(1 - p))
    distance = 0.0
    for label, box in ((1, CAR), (0, WALKER)):
        row, column = cells[label]
        _, x, y, length, width, heading, vx, vy = box
        raw = [(32 - x) / 4 - row, (16 - y) / 4 - column, np.log(length), np.log(width)]
        raw = np.array([*raw, np.sin(heading), np.cos(heading), vx, vy])
        wanted = (raw - of.usual.numpy()) / of.scale.numpy()
        distance += np.abs(output[0, 2:, row, column].numpy() - wanted).sum()
    expected = -focal.sum() / 2 + 0.5 * distance / 2
    assert of.loss(output, truth).item() == pytest.approx(expected, rel=1e-5)


def test_an_unknown_velocity_or_heading_has_no_gradient_and_no_error():
    of = target()
    truth = encoded(of, scene([1, 20.5, 3.0, 4.5, 1.9, NAN, NAN, NAN]))
    output = torch.randn(1, 10, 8, 8, requires_grad=True)
    of.loss(output, truth).backward()
    at = output.grad[0, 2:, 2, 3]
    assert at[:4].all()
    assert not at[4:].any()
    metrics = compute_metrics(of, boxes([0.9, *CAR]), truth)
    assert np.isnan(metrics["velocity_error"])
    assert metrics["position_error"] == 0


def test_decoding_gives_the_boxes_that_were_put_in():
    of = target()
    truth = encoded(of, scene(CAR, WALKER))
    output = torch.full((1, 10, 8, 8), -9.0)
    place = of.plane.place(truth[0, 1:, 1:3])
    wanted = of._wanted(truth[:, 1:], place[None])[0]
    for box, (row, column), values, p in zip(truth[0, 1:], place.floor().int(), wanted, (0.9, 0.7), strict=True):
        output[0, int(box[0]), row, column] = np.log(p / (1 - p))
        output[0, int(box[0]), row, column - 1] = np.log(0.5)  # a neighbour of a peak is none
        output[0, 2:, row, column] = values
    found = of.prediction(output)
    assert found.shape == (1, 6, 9)
    torch.testing.assert_close(found[0, :2, 1:], truth[0, 1:], atol=1e-4, rtol=1e-4)
    assert found[0, :, 0].tolist() == pytest.approx([0.9, 0.7, 0, 0, 0, 0], abs=1e-3)


def test_mix_takes_a_box_from_the_branch_that_sees_it():
    of = target()
    sees, blind = torch.full((2, 10, 8, 8), -12.0)
    sees[1, 4, 4], sees[2:] = 6.0, 1.0
    blind[2:] = -1.0
    mixed = of.mix(torch.stack([sees, blind])[None], torch.tensor([[0.5, 0.5]]))[0]
    p = torch.tensor([6.0, -12.0]).sigmoid().mean()
    torch.testing.assert_close(mixed[1, 4, 4].sigmoid(), p)
    assert (mixed[2:, 4, 4] > 0.99).all()


def boxes(*rows, count=None):
    """Predictions (1, K, 9) padded with boxes of score 0."""
    out = torch.zeros(1, count or len(rows), 9)
    out[0, : len(rows)] = torch.tensor(rows)
    return out


def plain_ap(predictions, truths, label, distance):
    """nuScenes' definition, box by box."""
    every = sorted(
        ((b[0], n, b) for n, scene in enumerate(predictions) for b in scene if b[1] == label), key=lambda e: -e[0]
    )
    total = sum((t[:, 0] == label).sum() for t in truths)
    taken, true, false = set(), [], []
    for _, n, b in every:
        best, nearest = np.inf, None
        for g, t in enumerate(truths[n]):
            away = np.hypot(b[2] - t[1], b[3] - t[2])
            if t[0] == label and (n, g) not in taken and away < best:
                best, nearest = away, g
        hit = best < distance
        if hit:
            taken.add((n, nearest))
        true.append(hit)
        false.append(not hit)
    tp, fp = np.cumsum(true), np.cumsum(false)
    precision = np.interp(np.linspace(0, 1, 101), tp / total, tp / (tp + fp), right=0)
    return np.clip(precision[11:] - 0.1, 0, None).mean() / 0.9


def drawn(samples, seed=0, classes=2, count=8):
    rng = np.random.default_rng(seed)
    truths = [
        np.concatenate(
            [
                rng.integers(0, classes, (n, 1)),
                rng.uniform([1, -15], [31, 15], (n, 2)),
                rng.uniform(0.5, 4, (n, 2)),
                rng.normal(size=(n, 3)),
            ],
            1,
        ).astype(np.float32)
        for n in rng.integers(0, 6, samples)
    ]
    predictions = np.zeros((samples, count, 9), dtype=np.float32)
    predictions[..., 0] = rng.uniform(size=(samples, count))
    predictions[..., 1] = rng.integers(0, classes, (samples, count))
    predictions[..., 2:4] = rng.uniform([1, -15], [31, 15], (samples, count, 2))
    for scene_, found in zip(truths, predictions, strict=True):
        near = rng.permutation(len(scene_))[: rng.integers(0, count)]
        found[: len(near), 1:] = scene_[near] + rng.normal(size=(len(near), 8)) * [0, 1, 1, *[0.1] * 5]
    return predictions, truths


def test_average_precision_is_that_of_a_plain_loop():
    predictions, truths = drawn(30)
    of = target(truths)
    curves = Curves(match(predictions, encoded(of, *truths)[:, 1:].numpy(), 2))
    expected = [[plain_ap(predictions, truths, c, d) for d in (0.5, 1, 2, 4)] for c in (0, 1)]
    assert np.min(expected) < 0.1 < np.max(expected)
    np.testing.assert_allclose(curves.average_precision(np.ones(30)), expected, atol=1e-9)
    ours = compute_metrics(of, torch.from_numpy(predictions), encoded(of, *truths))
    assert ours["mean_ap"] == pytest.approx(np.mean(expected), abs=1e-6)
    assert ours["ap_vehicle"] == pytest.approx(np.mean(expected[1]), abs=1e-6)


def test_drawing_a_sample_twice_counts_it_twice():
    predictions, truths = drawn(20)
    of = target(truths)
    truth = encoded(of, *truths)
    rows = np.random.default_rng(1).integers(0, 20, 20)
    of_draw = of.resampled(torch.from_numpy(predictions), truth)(rows)
    again = compute_metrics(of, torch.from_numpy(predictions[rows]), truth[rows])["mean_ap"]
    assert of_draw == pytest.approx(again, abs=5e-3)  # equal scores of the copies come in another order


def test_perfect_boxes_and_none():
    of = target()
    truth = encoded(of, scene(CAR, WALKER), scene())
    perfect = torch.cat([boxes([0.9, *CAR], [0.8, *WALKER]), torch.zeros(1, 2, 9)])
    ours = compute_metrics(of, perfect, truth)
    expected = {"mean_ap": 1, "ap_pedestrian": 1, "ap_vehicle": 1, "presence_auroc": 1}
    assert ours == pytest.approx({**expected, "position_error": 0, "velocity_error": 0}, abs=1e-6)
    ours = compute_metrics(of, torch.zeros(2, 0, 9), truth)
    assert (ours["mean_ap"], ours["presence_auroc"]) == (0, 0.5)
    assert np.isnan(ours["position_error"])


def test_a_class_without_a_box_does_not_count():
    of = target()
    ours = compute_metrics(of, boxes([0.9, *CAR], [0.5, *WALKER]), encoded(of, scene(CAR)))
    assert ours["mean_ap"] == pytest.approx(1)
    assert np.isnan(ours["ap_pedestrian"])
    ours = compute_metrics(of, boxes([0.9, *CAR]), encoded(of, scene()))
    assert np.isnan(ours["mean_ap"])


def test_errors_of_matched_boxes_by_hand():
    """One car of two found, 1 m off and 3 m/s off; recall ½: the mean over the recalls from 11 % to 50 %."""
    of = target()
    other = [1, 5.0, -10.0, 4.5, 1.9, 0, 0, 0]
    near = [0.9, 1, 20.5, 4.0, 4.5, 1.9, 0.1, 8.0, 3.5]
    ours = compute_metrics(of, boxes(near), encoded(of, scene(CAR, other)))
    assert ours["position_error"] == pytest.approx(1.0)
    assert ours["velocity_error"] == pytest.approx(3.0)
    # within 1 m: no (nearer is meant); within 2 and 4 m: full precision up to recall ½, 40 of 90 levels
    assert ours["ap_vehicle"] == pytest.approx(2 / 4 * 40 / 90, abs=1e-6)


def test_two_predictions_of_one_box_are_one_hit():
    of = target()
    ours = compute_metrics(of, boxes([0.5, *CAR], [0.9, *CAR]), encoded(of, scene(CAR)))
    # the second costs precision at full recall alone, one of the 90 levels
    assert ours["ap_vehicle"] == pytest.approx((89 * 0.9 + 0.4) / 90 / 0.9)
    hit = match(boxes([0.5, *CAR], [0.9, *CAR]).numpy(), encoded(of, scene(CAR))[:, 1:].numpy(), 2).hit
    assert hit.tolist() == [[True] * 4, [False] * 4]


def test_chance_are_the_usual_places_and_better_than_nothing():
    truths = [scene(CAR), scene(CAR), scene(WALKER), scene()]
    of = target(truths)
    chance = of.chance(encoded(of, *truths))
    assert chance.shape == (4, 6, 9)
    assert chance[0, :2, :2].tolist() == [[0.5, 1], [0.25, 0]]
    torch.testing.assert_close(chance[0, 0, 1:], torch.tensor(CAR))
    assert compute_metrics(of, chance, encoded(of, *truths))["ap_vehicle"] > 0.3


def test_metrics_are_quick():
    predictions, truths = drawn(300, classes=3, count=32)
    of = target(truths, classes=["a", "b", "c"])
    prediction, truth = torch.from_numpy(predictions), encoded(of, *truths)
    compute_metrics(of, prediction, truth)
    start = time.process_time()
    compute_metrics(of, prediction, truth)
    assert time.process_time() - start < 0.5


def test_columns_and_arrays():
    of = target()
    prediction = boxes([0.9, *CAR], [0.2, *WALKER]).expand(2, -1, -1).numpy()
    table = of.columns(prediction, encoded(of, scene(CAR, CAR), None).numpy())
    assert table["y.truth[vehicle]"].tolist()[0] == 2
    assert table["y.truth[vehicle]"].isna().tolist() == [False, True]
    assert table["y.predicted[pedestrian]"].tolist() == [0, 0]
    assert table["y.p(pedestrian)"].tolist() == pytest.approx([0.2, 0.2])
    assert of.arrays(prediction)["boxes"].shape == (2, 2, 9)


def test_tokens_of_several_modalities_on_one_cell_are_averaged_where_present():
    of = target()
    tokens = torch.randn(2, 32, 8)
    mask = torch.ones(2, 32, dtype=torch.bool)
    mask[1, 16:] = False
    out = of(Representation(tokens[:, 0], tokens, mask))
    merged = torch.stack([(tokens[0, :16] + tokens[0, 16:]) / 2, tokens[1, :16]])
    torch.testing.assert_close(out, of(Representation(tokens[:, 0], merged, mask[:, :16])))
    assert out.shape == (2, 10, 8, 8)


@pytest.mark.parametrize(
    ("fields", "truths", "says"),
    [
        ({"classes": None}, [scene(CAR)], r"target\.y\.classes: detection needs the names of its classes"),
        ({}, [scene(), None], r"no box within extent=\[0.0, 32.0, -16.0, 16.0\] m in the training split"),
        ({}, [scene(CAR)[:, :7]], r"the truth of training sample 1 has shape \(1, 7\), expected \(n, 8\): class, x, y"),
        ({}, [None, scene([2, *CAR[1:]])], "training sample 2 holds a class number outside of 0 to 1"),
        ({}, [scene([1, 5, 5, 0, 2, 0, 0, 0])], "a length or width that is not above 0 m"),
        ({}, [scene([1, 5, 5, 4, 2, 0, np.inf, 0])], "training sample 1 holds infinite values"),
        ({"extent": [32, 0, -16, 16]}, [scene(CAR)], r"extent=\[32, 0, -16, 16\]: must be \[x_min"),
    ],
)
def test_faults_of_the_truth_are_named(fields, truths, says):
    with pytest.raises(UserError, match=says):
        Detection.fit(spec(**fields), truths)
