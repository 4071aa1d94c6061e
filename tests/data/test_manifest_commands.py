"""Commands, alarms and forecasts from a manifest's columns to encoded truths."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import torch

from crossfade.data.manifest import ManifestSource
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec
from crossfade.targets import target_class

MODALITIES = {"labs": ModalitySpec(name="labs", kind="table", column=["x"])}
TABLE = pd.DataFrame(
    {
        "id": ["a", "b", "c"],
        "x": ["1", "2", "3"],
        "action": ["activate", "increase", ""],
        "object": ["lights", "heat", ""],
        "location": ["kitchen", "", ""],
        "intrusion": ['{"intruder": 1, "episode": 4, "since_s": 2.5}', "0", ""],
        "day": [json.dumps([0.5, 1.5]), json.dumps({"load": [1.0, None], "occupied": [1, 0]}), ""],
    }
)
TARGETS = {
    "command": TargetSpec(
        name="command", kind="slots", slots=["object", "location"], column=["action", "object", "location"]
    ),
    "intrusion": TargetSpec(name="intrusion", kind="alarm", column="intrusion"),
    "energy": TargetSpec(name="energy", kind="forecast", column="day", hours=2),
}


def encoded(table, name):
    source = ManifestSource(MODALITIES, TARGETS, 0, manifest=table)
    spec, truths = TARGETS[name], source.frame().truth[name]
    fitted = target_class(spec).fit(spec, truths)
    return fitted, target_class(spec).encode(spec, fitted, truths)


def test_a_column_per_field():
    fitted, truth = encoded(TABLE, "command")
    assert fitted["labels"] == [["activate", "increase"], ["none", "heat", "lights"], ["none", "kitchen"]]
    assert truth.tolist() == [[0, 2, 1], [1, 1, 0], [-1, -1, -1]]


def test_json_cells():
    truth = encoded(TABLE, "intrusion")[1]
    assert truth[:, 0].nan_to_num(-1).tolist() == [1, 0, -1]
    assert truth[0].tolist() == [1, 0, 2.5]
    day = encoded(TABLE, "energy")[1]
    assert day[:, :4].nan_to_num(-1).tolist() == [[0.5, 1.5, -1, -1], [1, -1, 1, 0], [-1, -1, -1, -1]]
    assert torch.isnan(day[:, 4:]).all()


def test_a_command_without_its_intent():
    table = TABLE.assign(action=["", "increase", ""])
    with pytest.raises(UserError, match=r"'object': 'lights'.* has no action\. Fill it in"):
        encoded(table, "command")


def test_columns_that_are_not_there_and_cells_that_are_no_json():
    with pytest.raises(UserError, match="location"):
        encoded(TABLE.drop(columns="location"), "command")
    with pytest.raises(UserError, match=r"column \"day\": 1 cells cannot be read: row 2: not JSON"):
        encoded(TABLE.assign(day=["[1, 2]", "[1, 2", ""]), "energy")
