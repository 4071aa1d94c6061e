"""nuScenes' relational tables (JSON) as dictionaries by token; only the columns that are used are kept.

scene ─ log            sample ─ scene          sample_data ─ sample, ego_pose, calibrated_sensor ─ sensor
sample_annotation ─ sample, instance ─ category
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from crossfade.data.driving.frames import rigid, rotation
from crossfade.errors import UserError

TABLES = {  # table → the columns that are needed
    "scene": ("token", "name", "log_token"),
    "log": ("token", "location"),
    "sample": ("token", "timestamp", "scene_token"),
    "sample_data": (
        "token", "sample_token", "ego_pose_token", "calibrated_sensor_token", "filename", "is_key_frame",
    ),
    "ego_pose": ("token", "translation", "rotation"),
    "calibrated_sensor": ("token", "sensor_token", "translation", "rotation"),
    "sensor": ("token", "channel"),
    "sample_annotation": (
        "token", "sample_token", "instance_token", "translation", "size", "rotation", "prev", "next", "num_lidar_pts",
        "num_radar_pts",
    ),
    "instance": ("token", "category_token"),
    "category": ("token", "name"),
}  # fmt: skip


class Measurement(NamedTuple):
    """One file of one sensor: where it is, and the motions sensor → ego and ego → world when it was taken (4, 4)."""

    file: str
    sensor: tuple[Any, Any]  # translation, rotation
    ego: tuple[Any, Any]

    def to_world(self) -> np.ndarray:
        return self.ego_to_world() @ motion(*self.sensor)

    def ego_to_world(self) -> np.ndarray:
        return motion(*self.ego)


@dataclass(frozen=True)
class Sample:
    """A key frame: `time` in s, and per channel (LIDAR_TOP, CAM_FRONT, …) its measurement."""

    token: str
    time: float
    scene: str
    location: str
    measured: dict[str, Measurement]


class Annotation(NamedTuple):
    """One box in the world frame: `size` width, length, height in m; `before` and `after`: the same object's box in the
    neighbouring key frames ("": none)."""

    instance: str
    category: str
    place: tuple[float, float, float]
    size: tuple[float, float, float]
    rotation: tuple[float, float, float, float]
    time: float
    before: str
    after: str
    points: int  # of lidar and radar in it


@dataclass(frozen=True)
class Tables:
    """`samples` in the order of scene and time; `boxes[token]` the tokens of a sample's annotations."""

    samples: list[Sample]
    boxes: dict[str, list[str]]
    annotations: dict[str, Annotation]


def motion(translation: Any, quaternion: Any) -> np.ndarray:
    """The rigid motion (4, 4) of a table's translation (m) and rotation (w, x, y, z)."""
    return rigid(rotation(quaternion), translation)


def read_tables(folder: Path, channels: Callable[[str], bool]) -> Tables:
    """All key frames with the measurements of the channels asked for, and all annotations.

    Raises UserError for tables that are missing, damaged or lack columns, tokens that lead nowhere, and key frames of
    a scene with the same time stamp.
    """
    missing = [f"{name}.json" for name in TABLES if not (folder / f"{name}.json").is_file()]
    if missing:
        raise UserError(
            *(f"{folder}: no {name}." for name in missing),
            f"Expected nuScenes' tables: {', '.join(f'{name}.json' for name in TABLES)}.",
        )
    reader = _Reader(folder)
    sensors = reader.by_token("sensor")
    mounted = {
        token: (sensors.at(row["sensor_token"], "calibrated_sensor")["channel"], (row["translation"], row["rotation"]))
        for token, row in reader.by_token("calibrated_sensor").items()
    }

    def asked(row: dict[str, Any]) -> bool:
        mount = _one(mounted, row["calibrated_sensor_token"], folder, "sample_data")
        return bool(row["is_key_frame"]) and channels(mount[0])

    data = reader.rows("sample_data", asked)
    wanted = {row["ego_pose_token"] for row in data}
    rows = reader.rows("ego_pose", lambda row: row["token"] in wanted)
    poses = {row["token"]: (row["translation"], row["rotation"]) for row in rows}
    measured: dict[str, dict[str, Measurement]] = defaultdict(dict)
    for row in data:
        channel, sensor = mounted[row["calibrated_sensor_token"]]
        pose = _one(poses, row["ego_pose_token"], folder, "sample_data")
        measured[row["sample_token"]][channel] = Measurement(row["filename"], sensor, pose)
    samples = _samples(reader, measured)
    times = {sample.token: sample.time for sample in samples}
    kinds = reader.by_token("category")
    categories = {t: kinds.at(r["category_token"], "instance")["name"] for t, r in reader.by_token("instance").items()}
    boxes: dict[str, list[str]] = defaultdict(list)
    annotations = {}
    for row in reader.rows("sample_annotation"):
        boxes[row["sample_token"]].append(row["token"])
        annotations[row["token"]] = Annotation(
            row["instance_token"],
            _one(categories, row["instance_token"], folder, "sample_annotation"),
            row["translation"],
            row["size"],
            row["rotation"],
            _one(times, row["sample_token"], folder, "sample_annotation"),
            row["prev"],
            row["next"],
            row["num_lidar_pts"] + row["num_radar_pts"],
        )
    return Tables(samples, dict(boxes), annotations)


def _samples(reader: _Reader, measured: dict[str, dict[str, Measurement]]) -> list[Sample]:
    scenes, logs = reader.by_token("scene"), reader.by_token("log")
    found = []
    for row in reader.rows("sample"):
        scene = scenes.at(row["scene_token"], "sample")
        location = logs.at(scene["log_token"], "scene")["location"]
        time = row["timestamp"] / 1e6
        found.append(Sample(row["token"], time, scene["name"], location, measured.get(row["token"], {})))
    found.sort(key=lambda sample: (sample.scene, sample.time))
    for one, other in pairwise(found):
        if (one.scene, one.time) == (other.scene, other.time):
            raise UserError(
                f"{reader.folder / 'sample.json'}: {one.scene} has two samples at {one.time:.6f} s, {one.token} and "
                f"{other.token}. Take one away."
            )
    return found


class _Index(dict[str, Any]):
    """Rows of a table by token."""

    file: Path

    def at(self, token: str, asked_by: str) -> Any:
        return _one(self, token, self.file.parent, asked_by)


class _Reader:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self, name: str, keep: Callable[[dict[str, Any]], bool] = bool) -> list[dict[str, Any]]:
        """The rows that `keep` lets through, with the needed columns only: the full set has millions of them."""
        path, columns = self.folder / f"{name}.json", TABLES[name]
        lacking: set[str] = set()

        def slim(row: dict[str, Any]) -> dict[str, Any] | None:
            lacking.update(column for column in columns if column not in row)
            kept = {column: row.get(column) for column in columns}
            return kept if lacking or keep(kept) else None

        try:
            rows = json.loads(path.read_bytes(), object_hook=slim)
        except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are both
            raise UserError(f"{path}: not readable as JSON: {error}. Get it anew.") from error
        if lacking:
            raise UserError(f"{path}: columns missing: {', '.join(sorted(lacking))}.")
        if not isinstance(rows, list) or not all(row is None or isinstance(row, dict) for row in rows):
            raise UserError(f"{path}: expected a list of records.")
        return [row for row in rows if row is not None]

    def by_token(self, name: str) -> _Index:
        index = _Index((row["token"], row) for row in self.rows(name))
        index.file = self.folder / f"{name}.json"
        return index


def _one(index: dict[str, Any], token: str, folder: Path, asked_by: str) -> Any:
    if token not in index:
        raise UserError(
            f"{folder / asked_by}.json: the token {token} leads nowhere. The tables are not of one version."
        )
    return index[token]


def check_boxes(tables: Tables) -> list[str]:
    """What is wrong with the annotations: a problem for each kind of fault, with an example."""
    problems = []
    sizes = [t for t, a in tables.annotations.items() if len(a.size) != 3 or not min(a.size) > 0]
    places = [t for t, a in tables.annotations.items() if len(a.place) != 3 or not np.isfinite(a.place).all()]
    for what, found in (("size that is not above 0 m", sizes), ("place that is no number", places)):
        if found:
            problems.append(f"sample_annotation.json: {len(found)} boxes have a {what}, first {found[0]}.")
    return problems
