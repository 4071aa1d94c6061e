"""KITTI's object set: its layout, its frames of reference, and the real frame where it is at hand."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from crossfade.data.driving.frames import inverse, moved
from crossfade.data.driving.kitti import KittiObjects
from crossfade.data.driving.kitti_files import read_calibration, read_labels
from crossfade.errors import ReadError, UserError
from crossfade.specs import ModalitySpec, TargetSpec

REPO = Path(__file__).parents[3]
REAL = Path(os.environ.get("CROSSFADE_DATA", REPO.parent / "shared" / "data")) / "driving_sensor_fixtures" / "kitti"
CONFIG = yaml.safe_load((REPO / "conf/task/driving/kitti.yaml").read_text(encoding="utf-8"))
MODALITIES = {name: ModalitySpec(name=name, **fields) for name, fields in CONFIG["modality"].items()}
CLASSES = CONFIG["data"]["source"]["classes"]
PRESENCE = {"presence": TargetSpec(name="presence", **CONFIG["target"]["presence"])}

# camera looks along the velodyne's x; R0 is the identity, and the two origins coincide
PLAIN = """P2: 100 0 50 0 0 100 25 0 0 0 1 0
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0
"""
CAR = "Car 0.00 0 0.0 0 0 99 49 1.5 1.6 4.0 -2.0 1.6 10.0 0.0"


def perception(*classes: str) -> dict[str, TargetSpec]:
    spec = PRESENCE["presence"].model_copy(update={"name": "perception", "kind": "detection", "classes": list(classes)})
    return {"perception": spec}


def add(root: Path, name: str, labels: str, calibration: str = PLAIN, points: np.ndarray | None = None) -> None:
    folder = root / "training"
    for part in ("image_2", "velodyne", "calib", "label_2"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "label_2" / f"{name}.txt").write_text(labels)
    (folder / "calib" / f"{name}.txt").write_text(calibration)
    Image.fromarray(np.full((50, 100, 3), 7, np.uint8)).save(folder / "image_2" / f"{name}.png")
    cloud = np.array([[5, 1, -1.73, 0.5]]) if points is None else points
    cloud.astype("<f4").tofile(folder / "velodyne" / f"{name}.bin")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    add(tmp_path, "000000", f"{CAR}\nPedestrian 0 0 0 0 0 1 1 1.8 0.5 0.6 1 1.7 5 1.5707963\n")
    add(tmp_path, "000001", "DontCare -1 -1 -10 1 2 3 4 -1 -1 -1 -1000 -1000 -1000 -10\n")
    add(tmp_path, "000002", "", points=np.zeros((0, 4)))
    return tmp_path


def source(root: Path, targets: dict[str, TargetSpec] = PRESENCE, **fields: Any) -> KittiObjects:
    return KittiObjects(MODALITIES, targets, 0, root, classes=CLASSES, **fields)


def test_boxes_come_into_the_ego_frame(folder: Path) -> None:
    truth = source(folder, perception("vehicle", "pedestrian"), sensor=[1.0, 0.0, 1.73]).frame().truth["perception"]
    # the camera's z is ahead, its x to the right; turn 0 points along its x: to the right, −90°
    np.testing.assert_allclose(truth[0][0, :6], [0, 11, 2, 4.0, 1.6, -np.pi / 2], atol=1e-5)
    # turn +90° about the axis that points down is −z of the camera: backwards
    np.testing.assert_allclose(np.abs(truth[0][1, :6]), [1, 6, 1, 0.6, 0.5, np.pi], atol=1e-5)
    assert truth[0][1, 2] == pytest.approx(-1)
    assert np.isnan(truth[0][:, 6:]).all()


def test_a_scene_without_objects_is_known_and_empty(folder: Path) -> None:
    truth = source(folder, perception("vehicle", "pedestrian", "cyclist")).frame().truth["perception"]
    assert [t.shape for t in truth] == [(2, 8), (0, 8), (0, 8)]
    assert list(source(folder).frame().truth["presence"]) == [["pedestrian", "vehicle"], [], []]


def test_points_stand_on_the_ground(folder: Path) -> None:
    made = source(folder)
    value = made.read(0)
    np.testing.assert_allclose(value["lidar"], [[5.76, 1, 0, 0.5]], atol=1e-6)
    np.testing.assert_array_equal(value["camera"], np.full((3, 50, 100), 7, np.float32))
    assert made.read(2)["lidar"].shape == (0, 4)


def test_classes_and_types_are_checked(folder: Path) -> None:
    only = source(folder, perception("pedestrian")).frame().truth["perception"]
    assert only[0].shape == (1, 8)
    assert only[0][0, 0] == 0  # the number is the target's
    some = {"presence": PRESENCE["presence"].model_copy(update={"classes": ["vehicle", "cyclist"]})}
    assert source(folder, some).frame().truth["presence"][0] == ["vehicle"]
    with pytest.raises(UserError, match=r"target\.perception\.classes: vehicles is no class.*Did you mean \"vehicle\""):
        source(folder, perception("vehicles"))
    with pytest.raises(UserError, match="KITTI has no type Bus"):
        KittiObjects(MODALITIES, PRESENCE, 0, folder, classes={"Bus": "vehicle"})
    with pytest.raises(UserError, match=r"modality radar: KITTI has none(?s:.*)target intention: KITTI has no truth"):
        KittiObjects({"radar": MODALITIES["lidar"]}, {"intention": PRESENCE["presence"]}, 0, folder, classes=CLASSES)


def test_frames_of_a_drive_are_one_group(folder: Path) -> None:
    assert source(folder).frame().groups == ["000000", "000001", "000002"]
    (folder / "drives.txt").write_text("a\na\nb\n")
    assert source(folder, groups=folder / "drives.txt").frame().groups == ["a", "a", "b"]
    (folder / "drives.txt").write_text("a\na\n")
    with pytest.raises(UserError, match="2 lines, none for frame 000002"):
        source(folder, groups=folder / "drives.txt")


def test_another_layout_is_said_clearly(folder: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root is not given.*cvlibs"):
        KittiObjects(MODALITIES, PRESENCE, classes=CLASSES)
    shutil.rmtree(folder / "training" / "velodyne")
    with pytest.raises(UserError, match=r"no folder training/velodyne/\.\nExpected the layout of"):
        source(folder)


def test_damaged_files_follow_the_policy(folder: Path) -> None:
    cloud = folder / "training" / "velodyne" / "000001.bin"
    cloud.write_bytes(cloud.read_bytes()[:-3])
    with pytest.raises(ReadError, match=r'sample "000001", modality lidar: .*13 bytes are no whole number of points'):
        source(folder).read(1)
    np.array([[1, np.nan, 1, 1]], "<f4").tofile(cloud)
    with pytest.raises(ReadError, match="1 of 1 points hold NaN"):
        source(folder).read(1)
    cloud.unlink()
    with pytest.raises(UserError, match=r"1 files are missing, first .*000001\.bin"):
        source(folder)
    made = source(folder, on_error="absent")
    with pytest.raises(ReadError, match="no such file") as caught:
        made.read(1)
    assert caught.value.modality == "lidar"
    assert list(made.read(1, without={"lidar"})) == ["camera"]


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("label_2", "Car 0 0 0", "line 1 has 4 fields, expected 15"),
        ("label_2", CAR.replace("10.0", "ten"), "line 1: could not convert"),
        ("label_2", CAR.replace("Car", "Lorry"), "type Lorry is none of KITTI's"),
        ("calib", PLAIN.replace("P2", "P9"), "no P2; expected lines"),
        ("calib", PLAIN.replace("0 0 100 25", "0 100 25"), "P2 has 11 numbers, expected 12"),
        ("calib", PLAIN.replace("1 0 0 0 1 0 0 0 1", "2 0 0 0 1 0 0 0 1"), "R0_rect is no rotation"),
    ],
)
def test_damaged_labels_and_calibrations_are_named(folder: Path, part: str, content: str, message: str) -> None:
    (folder / "training" / part / "000000.txt").write_text(content)
    with pytest.raises(UserError, match=rf"{part}/000000\.txt: {message}"):
        source(folder)
    assert list(source(folder, on_error="skip").frame().ids) == ["000001", "000002"]


needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data at {REAL}; name its parent in CROSSFADE_DATA")


@needs_real
def test_the_real_boxes_project_into_their_rectangles() -> None:
    calibration = read_calibration(REAL / "training" / "calib" / "000008.txt")
    truth = source(REAL, perception("vehicle")).frame().truth["perception"][0]
    labels = [label for label in read_labels(REAL / "training" / "label_2" / "000008.txt") if label.kind != "DontCare"]
    assert len(truth) == len(labels) == 6
    for box, label in zip(truth, labels, strict=True):
        # back from the ego frame, at half the box's height
        height, bottom = label.size[0], moved(inverse(calibration.camera), np.array([label.place]))[0, 2]
        middle = np.array([[*(box[1:3] - [0.76, 0.0]), bottom + height / 2]])
        u, v = calibration.project(moved(calibration.camera, middle))[0]
        left, top, right, below = label.box
        if label.box[0] > 0 and label.box[2] < 1241:  # the rectangle of a truncated car is cut at the image's edge
            assert left < u < right
            assert top < v < below


@needs_real
def test_the_real_cars_hold_lidar_points_and_stand_on_the_ground() -> None:
    made = source(REAL, perception("vehicle"))
    cloud, truth = made.read(0)["lidar"], made.frame().truth["perception"][0]
    assert cloud.shape == (17238, 4)
    low = cloud[(cloud[:, 0] > 5) & (cloud[:, 0] < 20), 2]
    assert abs(np.percentile(low, 5)) < 0.25  # the road
    for _, x, y, length, width, heading, *_ in truth:
        dx, dy = cloud[:, 0] - x, cloud[:, 1] - y
        along, across = dx * np.cos(heading) + dy * np.sin(heading), dy * np.cos(heading) - dx * np.sin(heading)
        inside = (np.abs(along) < length / 2) & (np.abs(across) < width / 2) & (cloud[:, 2] > 0.2)
        assert inside.sum() > 10
