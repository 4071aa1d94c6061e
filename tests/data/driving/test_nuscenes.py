"""nuScenes' layout: tables, frames of reference, velocities, radar, map; closed forms and one real key frame."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

import nuscenes_folder as made_up
from crossfade.data.driving.nuscenes import VAL, NuScenes
from crossfade.errors import ReadError, UserError
from crossfade.specs import ModalitySpec, TargetSpec

REPO = Path(__file__).parents[3]
REAL = Path(os.environ.get("CROSSFADE_DATA", REPO.parent / "shared" / "data")) / "driving_sensor_fixtures" / "nuscenes"
CONFIG = yaml.safe_load((REPO / "conf/task/driving/nuscenes.yaml").read_text(encoding="utf-8"))
MODALITIES = {name: ModalitySpec(name=name, **fields) for name, fields in CONFIG["modality"].items()}
SOURCE = {k: v for k, v in CONFIG["data"]["source"].items() if k not in ("_target_", "root", "on_error")}
PRESENCE = TargetSpec(name="presence", **CONFIG["target"]["presence"])


def target(name: str, kind: str) -> dict[str, TargetSpec]:
    return {name: PRESENCE.model_copy(update={"name": name, "kind": kind})}


PERCEPTION = target("perception", "detection")


def source(root: Path, targets: dict[str, TargetSpec] = PERCEPTION, *modalities: str, **fields: Any) -> NuScenes:
    used = {name: MODALITIES[name] for name in modalities or ("camera", "lidar", "radar")}
    return NuScenes(used, targets, 0, root, **{**SOURCE, **fields})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made_up.make(tmp_path)
    return tmp_path


def truths(made: NuScenes, name: str = "perception") -> list[Any]:
    return [truth() for truth in made.frame().truth[name]]


def test_boxes_and_velocities_are_in_the_ego_frame(folder: Path) -> None:
    frame = source(folder).frame()
    assert list(frame.ids) == [f"scene-{s}-{k}" for s in ("0061", "0103") for k in range(4)]
    assert list(frame.groups) == ["scene-0061"] * 4 + ["scene-0103"] * 4
    for k, boxes in enumerate(truths(source(folder))[:4]):
        # the ego faces the world's y: ahead is y − 50, left is 100 − x
        np.testing.assert_allclose(boxes[0], [0, 10 + 2 * k, 0, 4.5, 1.8, 0, made_up.SPEED, 0], atol=1e-5)
        if k:  # no point lies in the pedestrian's first box
            np.testing.assert_allclose(boxes[1], [1, 0, 5, 0.5, 0.6, 0, 0, 0], atol=1e-5)
        assert len(boxes) == (2 if k else 1)
    assert len(truths(source(folder, unseen=True))[0]) == 2


def test_a_velocity_needs_neighbours_that_are_near(folder: Path) -> None:
    tables = made_up.make(folder / "other")
    rows = {row["token"]: row for row in tables["sample_annotation"]}
    rows["scene-0061-0-car"]["next"] = ""  # alone
    rows["scene-0061-1-car"].update(prev="", next="scene-0061-3-car")  # 1 s apart: near enough
    for row in tables["sample"]:
        if row["token"] == "scene-0103-1":
            row["timestamp"] += 7_000_000  # and now the last of its scene
    made_up.save(folder / "other", tables)
    made = source(folder / "other")
    speed = {i: boxes[0][6] for i, boxes in zip(made.frame().ids, truths(made), strict=True)}
    assert np.isnan(speed["scene-0061-0"])
    assert speed["scene-0061-1"] == pytest.approx(made_up.SPEED, abs=1e-5)
    assert np.isnan(speed["scene-0103-0"])  # its only neighbour is 7.5 s away
    assert np.isnan(speed["scene-0103-2"])  # the neighbours' order in time is wrong


def test_futures_are_places_in_the_frame_of_now(folder: Path) -> None:
    paths = truths(source(folder, target("behaviour", "trajectories")), "behaviour")
    assert [p.shape for p in paths[:4]] == [(1, 7, 2), (2, 7, 2), (2, 7, 2), (2, 7, 2)]
    np.testing.assert_allclose(paths[1][0, :3], [[12, 0], [14, 0], [16, 0]], atol=1e-5)
    assert np.isnan(paths[1][0, 3:]).all()
    np.testing.assert_allclose(paths[1][1, 2], [0, 5], atol=1e-5)


def test_presence_looks_ahead_only(folder: Path) -> None:
    assert truths(source(folder, target("presence", "multilabel")), "presence")[1] == ["pedestrian", "vehicle"]
    assert truths(source(folder, target("presence", "multilabel"), extent=[5, 50, -9, 9]), "presence")[1] == ["vehicle"]


def test_a_scene_without_boxes_is_known_and_empty(folder: Path) -> None:
    tables = made_up.make(folder / "other")
    made_up.save(folder / "other", tables | {"sample_annotation": [], "instance": []})
    made = source(folder / "other")
    assert [t.shape for t in truths(made)] == [(0, 8)] * 8
    assert truths(source(folder / "other", target("behaviour", "trajectories")), "behaviour")[0].shape == (0, 7, 2)


def test_sensors_are_brought_into_the_frame_of_the_lidar_s_moment(folder: Path) -> None:
    value = source(folder).read(1)
    # lidar: 2 m along its own x, which points to the ego's left, from (1, 0, 2)
    np.testing.assert_allclose(value["lidar"], [[1, 2, 0, 17]], atol=1e-5)
    # radar: (8, 1) from (3, 0), measured when the ego was 1 m behind; the invalid return is gone
    np.testing.assert_allclose(value["radar"], [[10, 1, 0.5, 4, 0, 5.5]], atol=1e-5)
    assert value["camera"].shape == (3, 9, 16)
    assert abs(value["camera"].mean() - 40) < 2


def test_cameras_are_stacked_in_the_order_asked_for(folder: Path) -> None:
    two = {"both": MODALITIES["camera"].model_copy(update={"channels": 6})}
    cameras = {"both": ["CAM_BACK", "CAM_FRONT"]}
    value = NuScenes(two, PERCEPTION, 0, folder, **{**SOURCE, "cameras": cameras}).read(0)["both"]
    assert [round(float(channel.mean()), -1) for channel in value] == [200, 200, 200, 40, 40, 40]
    with pytest.raises(UserError, match=r"modality\.camera\.channels=3: in nuScenes it has 6"):
        source(folder, PERCEPTION, "camera", cameras={"camera": ["CAM_BACK", "CAM_FRONT"]})
    with pytest.raises(UserError, match=r"cameras\.camera=\['CAM_TOP'\]: a list of one or more of CAM_FRONT"):
        source(folder, PERCEPTION, "camera", cameras={"camera": ["CAM_TOP"]})


def test_the_map_is_a_raster_around_the_car(folder: Path) -> None:
    absent = source(folder, PERCEPTION, "lidar", "map")
    assert not absent.frame().present[:, 1].any()
    assert list(absent.read(0)) == ["lidar"]
    made_up.make_map(folder)
    made = source(folder, PERCEPTION, "lidar", "map")
    assert made.frame().present.all()
    road = made.read(0)["map"]
    assert road.shape == (4, 64, 64)
    x = 63.5 - np.arange(64)[:, None]  # of the middles of the pixels: 1 m each
    y = 31.5 - np.arange(64)[None]
    wanted = (np.abs(y) < 4) & ~((x > 10) & (x < 14) & (np.abs(y) < 1))
    np.testing.assert_array_equal(road[0], np.broadcast_to(wanted, (64, 64)))
    np.testing.assert_array_equal(road[3], road[0])
    assert not road[1:3].any()
    (folder / "maps/expansion/town.json").write_text('{"node": []}')
    with pytest.raises(ReadError, match=r"town\.json: not readable as a map expansion: KeyError"):
        source(folder, PERCEPTION, "map").read(0)


def test_the_official_validation_scenes_are_the_test_split(folder: Path) -> None:
    assert list(source(folder).frame().split or []) == ["train"] * 4 + ["test"] * 4
    assert source(folder, split=None).frame().split is None
    assert sum(last - first + 1 for first, last in VAL) == 150
    for row in (tables := made_up.make(folder / "other"))["scene"]:
        row["name"] = row["name"].replace("scene", "my-scene").replace("-0", "-9")
    made_up.save(folder / "other", tables)
    assert source(folder / "other").frame().split is None  # none of them is on the list


def test_another_layout_is_said_clearly(folder: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root is not given.*nuscenes\.org"):
        NuScenes(MODALITIES, PERCEPTION, **SOURCE)
    with pytest.raises(UserError, match=r"no folder v1\.0-"):
        source(folder / "samples")
    (folder / "v1.0-mini" / "log.json").unlink()
    with pytest.raises(UserError, match=r"no log\.json\.\nExpected nuScenes' tables"):
        source(folder)
    (folder / "v1.0-trainval").mkdir()
    with pytest.raises(UserError, match=r"several: v1\.0-mini, v1\.0-trainval.*data\.source\.version"):
        source(folder)


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("scene", {"log_token": "gone"}, r"scene\.json: the token gone leads nowhere"),
        ("sample_data", {"ego_pose_token": "gone"}, r"sample_data\.json: the token gone leads nowhere"),
        ("sample_annotation", {"size": [0, 1, 1]}, "1 boxes have a size that is not above 0 m"),
        ("sample_annotation", {"translation": [0, float("nan"), 1]}, "1 boxes have a place that is no number"),
        ("sample", {"timestamp": int(1e6 * 1000.5)}, r"scene-0061 has two samples at 1000\.500000 s"),
        ("sample_data", {"is_key_frame": False}, r"8 samples, 1 of them without LIDAR_TOP \(first scene-0061-0\)"),
    ],
)
def test_damaged_tables_are_named(folder: Path, table: str, change: dict[str, Any], message: str) -> None:
    path = folder / "v1.0-mini" / f"{table}.json"
    rows = json.loads(path.read_text())
    rows[0].update(change)
    path.write_text(json.dumps(rows))
    with pytest.raises(UserError, match=message):
        source(folder)
    del rows[1]["token"]
    path.write_text(json.dumps(rows))
    with pytest.raises(UserError, match=rf"{table}\.json: columns missing: token"):
        source(folder)
    path.write_text("[{")
    with pytest.raises(UserError, match=rf"{table}\.json: not readable as JSON"):
        source(folder)


def test_damaged_files_are_read_errors_of_their_modality(folder: Path) -> None:
    made = source(folder)
    lidar = folder / "samples/LIDAR_TOP/scene-0061-0.pcd.bin"
    lidar.write_bytes(lidar.read_bytes()[:-1])
    with pytest.raises(ReadError, match=r"modality lidar: .*19 bytes are no whole number of points"):
        made.read(0, without={"camera"})
    radar = folder / "samples/RADAR_FRONT/scene-0061-0.pcd"
    whole = radar.read_bytes()
    for content, message in (
        (whole[:-4], "it is cut off"),
        (whole.replace(b"DATA binary", b"DATA ascii"), "its data are ascii; only binary is read"),
        (whole.replace(b"rcs", b"foo"), "no field rcs"),
        (whole.replace(b"POINTS", b"PINTS"), "its header has no POINTS"),
        (whole.replace(b"SIZE 4", b"SIZE x"), "its header is damaged"),
    ):
        radar.write_bytes(content)
        with pytest.raises(ReadError, match=message) as caught:
            made.read(0, without={"camera", "lidar"})
        assert caught.value.modality == "radar"
    shutil.rmtree(folder / "samples" / "CAM_FRONT")
    with pytest.raises(ReadError, match=r"modality camera: .*no such file"):
        made.read(0)
    assert made.read(0, without={"camera", "lidar", "radar"}) == {}


needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data at {REAL}; name its parent in CROSSFADE_DATA")


@pytest.fixture
def real(tmp_path: Path) -> tuple[NuScenes, list[dict[str, Any]]]:
    """The real key frame, its description turned into tables; with the made-up ones, since two samples are needed."""
    tables = made_up.make(tmp_path)
    told = json.loads((REAL / "info.json").read_text())["data_list"][0]
    classes = json.loads((REAL / "info.json").read_text())["metainfo"]["categories"]
    names = {"car": "vehicle.car", "pedestrian": "human.pedestrian.adult", "bicycle": "vehicle.bicycle"}
    number = {n: names.get(c, "movable_object.trafficcone") for c, n in classes.items()}

    def pose(motion: np.ndarray) -> dict[str, Any]:
        turn = Rotation.from_matrix(motion[:3, :3]).as_quat()
        return {"translation": motion[:3, 3].tolist(), "rotation": [turn[3], *turn[:3]]}

    ego, mount = np.array(told["ego2global"]), np.array(told["lidar_points"]["lidar2ego"])
    tables["category"] = [{"token": name, "name": name} for name in sorted(set(number.values()))] + tables["category"]
    tables["scene"].append({"token": "real", "name": "scene-0553", "log_token": "log"})
    tables["sample"].append({"token": "real", "timestamp": int(1e6 * told["timestamp"]), "scene_token": "real"})
    tables["ego_pose"].append({"token": "real", **pose(ego)})
    tables["calibrated_sensor"].append({"token": "real", "sensor_token": "lidar", **pose(mount)})
    tables["sample_data"].append(
        {"token": "real", "sample_token": "real", "ego_pose_token": "real", "calibrated_sensor_token": "real",
         "filename": told["lidar_points"]["lidar_path"], "is_key_frame": True}
    )  # fmt: skip
    boxes = [b for b in told["instances"] if number.get(b["bbox_label_3d"]) in names.values() and b["num_lidar_pts"]]
    for i, box in enumerate(boxes):
        x, y, z, length, width, height, yaw = box["bbox_3d"]
        cos, sin = np.cos(yaw), np.sin(yaw)
        inside = np.eye(4)
        inside[:2, :2], inside[:3, 3] = [[cos, -sin], [sin, cos]], (x, y, z + height / 2)
        tables["instance"].append({"token": f"real-{i}", "category_token": number[box["bbox_label_3d"]]})
        tables["sample_annotation"].append(
            {"token": f"real-{i}", "sample_token": "real", "instance_token": f"real-{i}", "prev": "", "next": "",
             "size": [width, length, height], "num_lidar_pts": box["num_lidar_pts"], "num_radar_pts": 0,
             **pose(ego @ mount @ inside)}
        )  # fmt: skip
    made_up.save(tmp_path, tables)
    name = told["lidar_points"]["lidar_path"]
    (tmp_path / name).symlink_to(REAL / name)
    return source(tmp_path, PERCEPTION, "lidar"), boxes


@needs_real
def test_the_real_boxes_hold_the_points_that_their_annotators_counted(real: tuple[NuScenes, Any]) -> None:
    made, boxes = real
    index = list(made.frame().ids).index("real")
    cloud, truth = made.read(index)["lidar"], truths(made)[index]
    assert cloud.shape == (34688, 4)
    assert len(truth) == len(boxes) > 20
    near = cloud[(np.abs(cloud[:, 0]) < 15) & (np.abs(cloud[:, 1]) < 5), 2]
    assert abs(np.median(near[near < 0.5])) < 0.2  # the road is at z = 0
    for (_, x, y, length, width, heading, *_), box in zip(truth, boxes, strict=True):
        dx, dy = cloud[:, 0] - x, cloud[:, 1] - y
        along, across = dx * np.cos(heading) + dy * np.sin(heading), dy * np.cos(heading) - dx * np.sin(heading)
        inside = (np.abs(along) < length / 2 + 0.02) & (np.abs(across) < width / 2 + 0.02)
        assert inside.sum() >= 0.9 * box["num_lidar_pts"]
