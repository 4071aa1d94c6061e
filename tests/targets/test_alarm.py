"""Alarms: operating point, false alarms and delays by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve

from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets import make_target
from crossfade.targets.alarm import Alarm
from crossfade.targets.alarm_scores import operating_point
from crossfade.training.module import compute_metrics

NAN = float("nan")
SPEC = TargetSpec(name="a", kind="alarm", period_s=60.0, detection=0.75)


def target(**own):
    return make_target(SPEC.model_copy(update=own), {"share": 0.25}, 8)


def rows(*windows):
    return torch.tensor(windows, dtype=torch.float32)


# two episodes with an intruder, and two without
SCORE = torch.tensor([0.1, 0.4, 0.8, 0.9, 0.7, 0.75, 0.2, 0.65, 0.05, 0.75])
TRUTH = rows(
    [0, 0, NAN], [1, 0, 10], [1, 0, 70], [1, 0, 130],  # seen from 70 s on
    [0, 1, NAN], [1, 1, 20],  # seen at once
    [0, 2, NAN], [0, 2, NAN], [0, 3, NAN], [0, 3, NAN],
)  # fmt: skip


def test_metrics_by_hand():
    # intruder: .4 .75 .8 .9; three quarters of them lie at or above 0.75
    found = compute_metrics(target(), SCORE, TRUTH)
    assert found == pytest.approx(
        {
            "auroc": roc_auc_score(TRUTH[:, 0], SCORE),
            "threshold": 0.75,
            "false_alarms_per_day": 1 / 6 * 1440,  # one of six windows of a minute
            "time_to_detection_s": (70 + 20) / 2,
            "missed_episodes": 0.0,
        }
    )


def test_an_episode_that_is_never_found_counts_apart():
    found = compute_metrics(target(detection=0.5), SCORE, TRUTH)
    assert found["threshold"] == pytest.approx(0.8)
    assert found["false_alarms_per_day"] == 0
    assert found["time_to_detection_s"] == 70  # of the one that is found
    assert found["missed_episodes"] == 0.5


def test_windows_in_any_order_and_ties():
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    assert compute_metrics(target(), SCORE[order], TRUTH[order]) == pytest.approx(
        compute_metrics(target(), SCORE, TRUTH)
    )
    alike = compute_metrics(target(), torch.full((10,), 0.3), TRUTH)
    assert alike["auroc"] == 0.5
    assert alike["false_alarms_per_day"] == 1440
    assert alike["time_to_detection_s"] == 15  # both at their first window


@pytest.mark.parametrize("detection", [0.5, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("windows", [1, 19, 20, 40, 333])
def test_the_operating_point_is_the_highest_threshold_that_finds_enough(detection, windows):
    rng = np.random.default_rng(windows)
    score = rng.uniform(size=2 * windows).astype(np.float32)
    intruder = np.arange(2 * windows) < windows
    false, true, thresholds = roc_curve(intruder, score, drop_intermediate=False)
    first = np.flatnonzero(true >= detection - 1e-9)[0]
    found = operating_point(torch.from_numpy(score), torch.from_numpy(intruder), detection)
    assert found.item() == thresholds[first]
    assert (score[~intruder] >= found.item()).mean() == pytest.approx(false[first])


def test_what_is_not_defined_is_nan():
    quiet = compute_metrics(target(), SCORE[:2], rows([0, 0, NAN], [0, 1, NAN]))
    assert all(np.isnan(value) for value in quiet.values())
    intruders = compute_metrics(target(), SCORE[:2], rows([1, 0, NAN], [1, 1, NAN]))
    assert intruders["threshold"] == pytest.approx(0.1)
    assert all(np.isnan(value) for name, value in intruders.items() if name != "threshold")


def test_encode_numbers_the_episodes():
    truths = [
        {"intruder": 1, "episode": 2**40, "since_s": 3.0},
        {"intruder": 0, "episode": -5, "since_s": 9.0},
        {"intruder": 0, "episode": 2**40 + 1},
        1,
        None,
        0,
    ]
    encoded = Alarm.encode(SPEC, {"share": 0.5}, truths)
    assert encoded[:, 0].tolist()[:4] == [1, 0, 0, 1]
    assert encoded[[0, 1, 2], 1].tolist() == [1, 0, 2]
    assert len(set(encoded[[0, 1, 2, 3, 5], 1].tolist())) == 5  # one that has none is alone
    assert encoded[0, 2] == 3.0
    assert encoded[1:4, 2].isnan().all()
    assert encoded[4].isnan().all()


@pytest.mark.parametrize(("weights", "positive"), [("none", 1.0), ("balanced", 3.0)])
def test_loss(weights, positive):
    output = torch.tensor([0.3, -1.0, 2.0])
    p = output.double().sigmoid()
    expected = -(positive * p[0].log() + (1 - p[1]).log()) / 2
    found = target(class_weights=weights).loss(output, rows([1, 0, 5], [0, 0, NAN], [NAN, NAN, NAN]))
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)


def test_mix_is_the_mixture_of_probabilities():
    outputs, weight = torch.tensor([[0.5, -3.0], [2.0, 1.0]]), torch.tensor([[0.3, 0.7], [1.0, 0.0]])
    expected = (weight * outputs.sigmoid()).sum(1)
    torch.testing.assert_close(target().mix(outputs, weight).sigmoid(), expected)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="0 of 2 known windows of the training split hold an intruder"):
        Alarm.fit(SPEC, [0, None, {"intruder": 0}])
    with pytest.raises(UserError, match=r"'yes' has no 0 or 1 for \"intruder\""):
        Alarm.encode(SPEC, {"share": 0.5}, ["yes"])


def test_columns():
    table = target().columns(SCORE[:2].numpy(), rows([1, 4, 2.5], [NAN, NAN, NAN]).numpy())
    assert list(table) == ["a.truth", "a.episode", "a.since_s", "a.score"]
    assert table["a.truth"].isna().tolist() == [False, True]
    assert table["a.episode"][0] == 4
    assert list(target().columns(SCORE.numpy(), None)) == ["a.score"]
