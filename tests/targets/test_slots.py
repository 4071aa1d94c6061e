"""Commands: by hand, and against scikit-learn."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets import make_target
from crossfade.targets.slots import Slots
from crossfade.training.module import compute_metrics

SPEC = TargetSpec(name="c", kind="slots", slots=["device", "room"])
TRAIN = [
    {"intent": "on", "device": "lamp", "room": "hall"},
    {"intent": "on", "device": "lamp", "room": "hall"},
    {"intent": "off", "device": "fan", "room": None},
    {"intent": "night"},
    None,
]
FITTED = {"labels": [["night", "off", "on"], ["none", "fan", "lamp"], ["none", "hall"]], "commonest": [2, 2, 1]}


def target(**own):
    return make_target(TargetSpec(name="c", kind="slots", slots=["device", "room"], **own), FITTED, 8)


def certain(*commands):
    """Predictions that are sure of these class numbers."""
    rows = [torch.cat([torch.eye(size)[i] for size, i in zip((3, 3, 2), c, strict=True)]) for c in commands]
    return torch.stack(rows)


def test_fit_and_encode():
    assert Slots.fit(SPEC, TRAIN) == FITTED
    assert Slots.encode(SPEC, FITTED, TRAIN).tolist() == [[2, 2, 1], [2, 2, 1], [1, 1, 0], [0, 0, 0], [-1, -1, -1]]
    said = [{"intent": "off", "device": "none", "room": ""}, {"intent": "off", "colour": "red"}]
    assert Slots.encode(SPEC, {**FITTED, "labels": [["off"], ["none"], ["none", ""]]}, said).tolist() == [
        [0, 0, 1],
        [0, 0, 0],
    ]


def test_metrics_by_hand():
    prediction = certain([2, 2, 1], [1, 1, 1], [0, 2, 0], [1, 0, 0])
    truth = torch.tensor([[2, 2, 1], [1, 1, 0], [0, 0, 0], [2, 1, 1]])
    # named in the prediction: 2 + 2 + 1 + 0, in the truth: 2 + 1 + 0 + 2; right: 2 + 1
    assert compute_metrics(target(), prediction, truth) == pytest.approx(
        {"exact_match": 1 / 4, "intent_accuracy": 3 / 4, "slot_f1": 2 * 3 / (5 + 5)}
    )
    assert target().per_sample(prediction, truth).tolist() == [1, 0, 0, 0]


def test_slot_f1_is_scikit_learns():
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, size, (2, 200)) for size in (3, 3, 2)]
    prediction = certain(*np.stack([d[0] for d in drawn], 1))
    truth = torch.from_numpy(np.stack([d[1] for d in drawn], 1))
    of = np.concatenate([10 + drawn[1], 20 + drawn[2]], 1)  # the two slots' words are different labels
    expected = f1_score(of[1], of[0], labels=[11, 12, 21], average="micro")
    assert compute_metrics(target(), prediction, truth)["slot_f1"] == pytest.approx(expected)


def test_no_slot_anywhere_has_no_f1():
    metrics = compute_metrics(target(), certain([0, 0, 0]), torch.tensor([[0, 0, 0]]))
    assert metrics["exact_match"] == 1
    assert np.isnan(metrics["slot_f1"])


def test_loss_is_the_mean_of_the_fields_cross_entropies():
    torch.manual_seed(0)
    output = torch.randn(3, 8)
    truth = torch.tensor([[0, 2, 1], [-1, -1, -1], [2, 3, 0]])  # the 3: a word unseen in training
    p = [x.softmax(-1).double().numpy() for x in output.split([3, 3, 2], -1)]
    expected = -np.mean([np.log(p[0][0, 0] * p[0][2, 2]) / 2, np.log(p[1][0, 2]), np.log(p[2][0, 1] * p[2][2, 0]) / 2])
    assert target().loss(output, truth).item() == pytest.approx(expected, rel=1e-6)


def test_mix_is_the_mixture_of_each_fields_probabilities():
    torch.manual_seed(0)
    outputs, weight = 3 * torch.randn(2, 2, 8), torch.tensor([[0.3, 0.7], [1.0, 0.0]])
    of = target()
    expected = sum(weight[:, g : g + 1] * of.prediction(outputs[:, g]) for g in range(2))
    torch.testing.assert_close(of.prediction(of.mix(outputs, weight)), expected)


def test_a_word_unseen_in_training_is_warned_of_and_counts_as_wrong(caplog):
    said = [{"intent": "on", "device": "toaster"}, {"intent": "on"}]
    with caplog.at_level(logging.WARNING, logger="crossfade"):
        truth = Slots.encode(SPEC, FITTED, said)
    assert truth.tolist() == [[2, 3, 0], [2, 0, 0]]
    assert "target.c: device 'toaster' (row 1) unseen in training; counted as wrong." in caplog.text
    metrics = compute_metrics(target(), certain([2, 0, 0], [2, 0, 0]), truth)
    assert metrics["exact_match"] == 0.5
    assert metrics["intent_accuracy"] == 1
    assert metrics["slot_f1"] == 0  # a slot was named, and none found
    assert target().columns(certain([2, 0, 0]).numpy(), truth[:1].numpy())["c.truth[device]"][0] == (
        "(unseen in training)"
    )


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"intent\(s\) 'offf' \(row 2\) unseen.*Did you mean \"off\""):
        Slots.encode(SPEC, FITTED, [None, {"intent": "offf"}])
    with pytest.raises(UserError, match=r"the command \{'device': 'lamp'\} has no intent"):
        Slots.fit(SPEC, [{"device": "lamp"}])
    with pytest.raises(UserError, match=r"no command of the training split names a rooom\. Did you mean \"room\""):
        Slots.fit(TargetSpec(name="c", kind="slots", slots=["device", "rooom"]), TRAIN)
    with pytest.raises(UserError, match=r"holds 1 different command"):
        Slots.fit(SPEC, [{"intent": "on", "device": "lamp"}, {"intent": "on", "device": "lamp"}])
    with pytest.raises(UserError, match=r"intent\(s\) 'night' are not in its classes: on, off"):
        Slots.fit(SPEC.model_copy(update={"classes": ["on", "off"]}), TRAIN)
    with pytest.raises(UserError, match=r"column=\['intent', 'room'\]: needs a column for the intent and one for each"):
        Slots.fit(SPEC.model_copy(update={"column": ["intent", "room"]}), TRAIN)


def test_a_manifests_columns_stand_for_intent_and_slots_in_their_order():
    spec = SPEC.model_copy(update={"column": ["action", "object", "location"]})
    truths = [
        {"action": "on", "object": "lamp", "location": None},
        {"action": "off", "object": None, "location": "hall"},
    ]
    fitted = Slots.fit(spec, truths)
    assert fitted["labels"] == [["off", "on"], ["none", "lamp"], ["none", "hall"]]
    assert Slots.encode(spec, fitted, truths).tolist() == [[1, 1, 0], [0, 0, 1]]


def test_the_action_is_json_that_names_only_what_was_said():
    p = np.array([[0.1, 0.1, 0.8, 0.1, 0.0, 0.9, 0.25, 0.75], [0.6, 0.4, 0.0, 0.5, 0.3, 0.2, 1.0, 0.0]])
    table = target().columns(p, np.array([[2, 2, 1], [-1, -1, -1]]))
    assert [json.loads(text) for text in table["c.action"]] == [
        {"intent": "on", "slots": {"device": "lamp", "room": "hall"}, "confidence": 0.54},
        {"intent": "night", "slots": {}, "confidence": 0.3},
    ]
    assert table["c.truth[device]"][0] == "lamp"
    assert table["c.truth[device]"].isna().tolist() == [False, True]
    assert table["c.predicted[room]"].tolist() == ["hall", "none"]
    assert table["c.p[device](fan)"].tolist() == [0.0, 0.3]
    assert not any("truth" in column for column in target().columns(p, None))


def test_chance_is_the_commonest_command():
    assert torch.equal(target().chance(torch.zeros(2, 3)), certain([2, 2, 1], [2, 2, 1]))
