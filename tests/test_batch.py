"""Moving a batch to a device."""

from __future__ import annotations

import torch
from lightning_fabric.utilities.apply_func import move_data_to_device

from crossfade.batch import Batch

META = torch.device("meta")


def batch() -> Batch:
    return Batch(
        inputs={"ct": torch.zeros(2, 1, 4, 4)},
        presence=torch.ones(2, 2, dtype=torch.bool),
        truth={"kind": torch.tensor([0, 1])},
        ids=["P1", "P2"],
        features={"note": (torch.zeros(2, 1, 8), torch.ones(2, 1, dtype=torch.bool))},
    )


def test_every_tensor_moves():
    moved = batch().to(META)
    tensors = [moved.inputs["ct"], moved.presence, moved.truth["kind"], *moved.features["note"]]
    assert {tensor.device for tensor in tensors} == {META}
    assert [tensor.shape for tensor in tensors] == [(2, 1, 4, 4), (2, 2), (2,), (2, 1, 8), (2, 1)]
    assert moved.ids == ["P1", "P2"]


def test_what_is_there_already_is_not_copied():
    one = batch()
    moved = one.to(torch.device("cpu"))
    assert moved.inputs["ct"] is one.inputs["ct"]


def test_lightning_moves_it_as_a_whole():
    one = batch()
    assert move_data_to_device(one, META).ids is one.ids  # not walked: a walk would make a new list
