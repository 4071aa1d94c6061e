"""One's own drives from a table: point clouds, boxes, futures and plans as files and cells, to tensors and a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from crossfade.build import build_data, build_model
from crossfade.config import compose
from crossfade.errors import UserError

EXTENT = [0, 32, -16, 16]
SCHEMA = {
    "id": "frame",
    "split": "split",
    "modalities": {
        "lidar": {"kind": "points", "column": "lidar", "channels": 4, "aligned": True, "extent": EXTENT, "length": 30},
        "speed": {"kind": "table", "column": ["speed"], "unit": {"speed": "m/s"}},
    },
    "targets": {
        "cars": {"kind": "detection", "column": "boxes", "classes": ["car"], "grid": 4, "extent": EXTENT},
        "futures": {"kind": "trajectories", "column": "futures", "grid": 4, "extent": EXTENT},
        "way": {"kind": "plan", "column": "way", "road": 8, "extent": EXTENT},
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = []
    for i in range(8):
        cloud = rng.uniform([0, -16, 0, 0], [40, 16, 2, 1], (50, 4)).astype("<f4")
        cloud.tofile(tmp_path / f"{i}.bin")
        cars = 0 if i == 3 else 1 + i % 2
        boxes = np.tile([0, 10, 2, 4.5, 1.9, 0, 5, 0], (cars, 1)) + 0.1 * i * np.eye(8)[1]
        np.save(tmp_path / f"boxes{i}.npy", boxes.reshape(-1, 8))
        np.save(tmp_path / f"futures{i}.npy", boxes[:, None, 1:3] + np.arange(7)[:, None] * [2.5, 0])
        way = {"waypoints": [[(2 + 0.1 * i) * t, 0.0] for t in range(1, 7)], "agents": []}
        split = ["train"] * 4 + ["val", "val", "test", "test"]
        rows.append((i, split[i], f"{i}.bin", 5.0 + i, f"boxes{i}.npy", f"futures{i}.npy", json.dumps(way)))
    rows[5] = (*rows[5][:4], None, None, None)
    table = pd.DataFrame(rows, columns=["frame", "split", "lidar", "speed", "boxes", "futures", "way"])
    table.to_csv(tmp_path / "drives.csv", index=False)
    (tmp_path / "drives.yaml").write_text(yaml.safe_dump(SCHEMA))
    return tmp_path


def opened(folder: Path, *settings: str):
    config = compose("task=custom", f"data.manifest={folder / 'drives.csv'}", "encoder.points.hidden=8", *settings)
    data = build_data(config)
    data.prepare()
    return config, data


def test_files_and_cells_become_truths_and_a_model_learns_from_them(folder):
    config, data = opened(folder)
    samples = data.samples
    assert samples.kept["lidar"].shape == (8, 30, 4)
    boxes = samples.truth["cars"]
    assert (~boxes[:, 1:, 0].isnan()).sum(1).tolist() == [1, 2, 1, 0, 1, 0, 1, 2]
    assert boxes[5].isnan().all()
    assert not boxes[3, 0].isnan().any()
    torch.testing.assert_close(samples.truth["futures"][1, 1, :, 0], 10.1 + 2.5 * torch.arange(7.0))
    assert samples.truth["way"][2, :2].tolist() == pytest.approx([2.2, 0.0])

    model = build_model(config, data.fitted)
    batch = samples[range(8)]
    out = model(batch.inputs, batch.presence)
    loss = sum(model.targets[name].loss(output, batch.truth[name]) for name, output in out.items())
    loss.backward()
    assert loss.isfinite()
    assert model.encoders["lidar"].each[0].weight.grad.any()


def test_a_cut_off_cloud_is_named_with_its_row(folder):
    (folder / "2.bin").write_bytes(b"\0" * 30)
    with pytest.raises(UserError, match="holds 30 bytes, no multiple of 4 columns of float32"):
        opened(folder)


def test_boxes_of_another_shape_are_named_with_their_row(folder):
    np.save(folder / "boxes1.npy", np.zeros((2, 7)))
    with pytest.raises(
        UserError, match=r"target\.cars: the truth of training sample 2 has shape \(2, 7\), expected \(n, 8\)"
    ):
        opened(folder)


def test_what_is_wrong_outside_of_training_is_named_by_its_row(folder):
    np.save(folder / "futures6.npy", np.zeros((1, 3, 2)))
    with pytest.raises(UserError, match=r"target\.futures: the truth of row 7 has shape \(1, 3, 2\)"):
        opened(folder)
