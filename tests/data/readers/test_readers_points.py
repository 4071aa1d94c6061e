"""Raw point clouds as KITTI and nuScenes publish them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from crossfade.data.readers import Fault, read_file
from crossfade.data.readers.points import read_points
from crossfade.specs import ModalitySpec

REPO = Path(__file__).parents[3]
FRAMES = Path(os.environ.get("CROSSFADE_DATA", REPO.parent / "shared" / "data")) / "driving_sensor_fixtures"
CLOUD = np.random.default_rng(0).normal(size=(7, 4)).astype("<f4")


def spec(channels=4):
    return ModalitySpec(name="lidar", kind="points", channels=channels)


def frame(name: str) -> Path:
    found = sorted(FRAMES.glob(name))
    if not found:
        pytest.skip(f"{FRAMES} is not here; set CROSSFADE_DATA to the folder that holds it")
    return found[0]


@pytest.mark.parametrize("name", ["a.bin", "a.pcd.bin"])
def test_raw_floats_come_back_exactly(tmp_path: Path, name: str) -> None:
    CLOUD.tofile(tmp_path / name)
    cloud = read_file(tmp_path / name, spec())
    assert cloud.dtype == np.float32
    np.testing.assert_array_equal(cloud, CLOUD)


def test_a_bin_says_nothing_of_its_columns(tmp_path: Path) -> None:
    CLOUD.tofile(tmp_path / "a.bin")
    with pytest.raises(Fault, match=r"set the modality's `channels`: 4 for KITTI .* 5 for nuScenes"):
        read_file(tmp_path / "a.bin", ModalitySpec(name="lidar", kind="points"))


def test_faults_of_a_bin(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(CLOUD.tobytes()[:-3])
    with pytest.raises(Fault, match=r"holds 109 bytes, no multiple of 4 columns of float32: it is cut off, or"):
        read_points(path, 4)
    CLOUD.tofile(path)
    with pytest.raises(Fault, match="112 bytes, no multiple of 5 columns"):
        read_points(path, 5)
    path.write_bytes(b"")
    with pytest.raises(Fault, match="empty"):
        read_points(path, 4)
    broken = CLOUD.copy()
    broken[2, 1], broken[3, 0] = np.nan, np.inf
    broken.tofile(path)
    with pytest.raises(Fault, match="1 NaN and 1 infinite values of 28"):
        read_points(path, 4)


def test_columns_of_other_files_are_checked_where_they_are_given(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", CLOUD)
    assert read_file(tmp_path / "a.npy", spec()).shape == (7, 4)
    assert read_points(tmp_path / "a.npy").shape == (7, 4)
    with pytest.raises(Fault, match=r"has shape \(7, 4\), expected \(N, 5\)"):
        read_file(tmp_path / "a.npy", spec(5))


def test_a_published_frame_of_kitti() -> None:
    cloud = read_file(frame("kitti/training/velodyne_reduced/*.bin"), spec(4))
    assert cloud.shape == (17238, 4)
    assert cloud[:, 0].min() > 0  # what the camera sees lies ahead
    assert 0 <= cloud[:, 3].min() <= cloud[:, 3].max() <= 1  # reflectance


def test_a_published_frame_of_nuscenes() -> None:
    cloud = read_file(frame("nuscenes/*.pcd.bin"), spec(5))
    assert cloud.shape == (34688, 5)
    assert set(cloud[:, 4]) == set(range(32))  # rings
