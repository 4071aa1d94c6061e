"""A small folder in nuScenes' layout, made up: scenes of four key frames, one car, one pedestrian, one cone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SPEED = 4.0  # m/s of the car along the world's y
HALF = 0.5**0.5
LEFT = [HALF, 0.0, 0.0, HALF]  # quaternion of a turn by 90° to the left
NONE = [1.0, 0.0, 0.0, 0.0]
RADAR_FIELDS = [
    ("x", "f4"), ("y", "f4"), ("z", "f4"), ("dyn_prop", "i1"), ("rcs", "f4"), ("vx_comp", "f4"), ("vy_comp", "f4"),
    ("ambig_state", "i1"), ("invalid_state", "i1"),
]  # fmt: skip


def write_radar(path: Path, rows: list[tuple[float, ...]]) -> None:
    records = np.array(rows, dtype=[(name, f"<{form}") for name, form in RADAR_FIELDS])
    names, forms = zip(*RADAR_FIELDS, strict=True)
    header = "\n".join(
        [
            "# .PCD v0.7 - Point Cloud Data file format", "VERSION 0.7", f"FIELDS {' '.join(names)}",
            f"SIZE {' '.join(f[1] for f in forms)}", f"TYPE {' '.join(f[0].upper() for f in forms)}",
            f"COUNT {' '.join('1' for _ in forms)}", f"WIDTH {len(rows)}", "HEIGHT 1", "VIEWPOINT 0 0 0 1 0 0 0",
            f"POINTS {len(rows)}", "DATA binary", "",
        ]
    )  # fmt: skip
    path.write_bytes(header.encode() + records.tobytes())


def save(folder: Path, tables: dict[str, list[dict[str, Any]]]) -> None:
    (folder / "v1.0-mini").mkdir(exist_ok=True)
    for name, rows in tables.items():
        (folder / "v1.0-mini" / f"{name}.json").write_text(json.dumps(rows))


def make(folder: Path, scenes: Sequence[str] = ("scene-0061", "scene-0103")) -> dict[str, list[dict[str, Any]]]:
    """Write the folder; return its tables. The ego stands at (100, 50), facing the world's y, in each key frame.

    The car is at (100, 60 + 4·t) and drives along y, 10 m ahead at first; the pedestrian stands at (95, 50), 5 m to the
    left. The lidar is 1 m ahead of the rear axle and 2 m up, turned to the left by 90°; the radar is 3 m ahead.
    """
    tables: dict[str, list[dict[str, Any]]] = {
        "scene": [],
        "log": [{"token": "log", "location": "town"}],
        "sample": [],
        "sample_data": [],
        "ego_pose": [],
        "calibrated_sensor": [
            {"token": "c-lidar", "sensor_token": "lidar", "translation": [1, 0, 2], "rotation": LEFT},
            {"token": "c-front", "sensor_token": "front", "translation": [1, 0, 1], "rotation": NONE},
            {"token": "c-back", "sensor_token": "back", "translation": [0, 0, 1], "rotation": NONE},
            {"token": "c-radar", "sensor_token": "radar", "translation": [3, 0, 0.5], "rotation": NONE},
        ],
        "sensor": [
            {"token": "lidar", "channel": "LIDAR_TOP"},
            {"token": "front", "channel": "CAM_FRONT"},
            {"token": "back", "channel": "CAM_BACK"},
            {"token": "radar", "channel": "RADAR_FRONT"},
        ],
        "sample_annotation": [],
        "instance": [],
        "category": [
            {"token": "car", "name": "vehicle.car"},
            {"token": "bike", "name": "vehicle.bicycle"},
            {"token": "adult", "name": "human.pedestrian.adult"},
            {"token": "cone", "name": "movable_object.trafficcone"},
        ],
    }
    for part in ("LIDAR_TOP", "CAM_FRONT", "CAM_BACK", "RADAR_FRONT"):
        (folder / "samples" / part).mkdir(parents=True)
    for scene in scenes:
        tables["scene"].append({"token": scene, "name": scene, "log_token": "log"})
        for kind, category in (("car", "car"), ("person", "adult"), ("cone", "cone")):
            tables["instance"].append({"token": f"{scene}-{kind}", "category_token": category})
        for k in range(4):
            _key_frame(folder, tables, scene, k)
    save(folder, tables)
    return tables


def _key_frame(folder: Path, tables: dict[str, list[dict[str, Any]]], scene: str, k: int) -> None:
    token, time = f"{scene}-{k}", 0.5 * k
    tables["sample"].append({"token": token, "timestamp": int(1e6 * (1000 + time)), "scene_token": scene})
    for sensor, part, end in (
        ("lidar", "LIDAR_TOP", "pcd.bin"), ("front", "CAM_FRONT", "jpg"), ("back", "CAM_BACK", "jpg"),
        ("radar", "RADAR_FRONT", "pcd"),
    ):  # fmt: skip
        pose = f"{token}-{sensor}"
        # the radar measured when the ego was still 1 m behind
        place = [100, 49 if sensor == "radar" else 50, 0]
        tables["ego_pose"].append({"token": pose, "translation": place, "rotation": LEFT})
        for key in (True, False):
            name = f"samples/{part}/{token}.{end}" if key else f"sweeps/{part}/{token}.{end}"
            tables["sample_data"].append(
                {"token": f"{pose}-{key}", "sample_token": token, "ego_pose_token": pose, "is_key_frame": key,
                 "calibrated_sensor_token": f"c-{sensor}", "filename": name}
            )  # fmt: skip
    np.array([[2, 0, -2, 17, 3]], "<f4").tofile(folder / f"samples/LIDAR_TOP/{token}.pcd.bin")
    write_radar(
        folder / f"samples/RADAR_FRONT/{token}.pcd",
        [(8, 1, 0, 1, 5.5, 4, 0, 3, 0), (9, 1, 0, 1, 5.5, 4, 0, 3, 7)],  # the second is invalid
    )
    for part, level in (("CAM_FRONT", 40), ("CAM_BACK", 200)):
        Image.fromarray(np.full((9, 16, 3), level, np.uint8)).save(folder / f"samples/{part}/{token}.jpg")
    neighbours = {"prev": k - 1 if k else None, "next": k + 1 if k < 3 else None}
    for kind, place, size, points in (
        ("car", [100, 60 + SPEED * time, 1], [1.8, 4.5, 1.5], 30),
        ("person", [95, 50, 1], [0.6, 0.5, 1.7], 3 if k else 0),
        ("cone", [101, 55, 0.5], [0.3, 0.3, 0.5], 5),
    ):
        tables["sample_annotation"].append(
            {"token": f"{token}-{kind}", "sample_token": token, "instance_token": f"{scene}-{kind}",
             "translation": place, "size": size, "rotation": LEFT, "num_lidar_pts": points, "num_radar_pts": 0,
             **{way: "" if n is None else f"{scene}-{n}-{kind}" for way, n in neighbours.items()}}
        )  # fmt: skip


def make_map(folder: Path) -> None:
    """A road 8 m wide along the world's y through x = 100, with a hole of 2 m × 4 m that begins 10 m ahead."""
    corners = {"a": (96, 0), "b": (104, 0), "c": (104, 200), "d": (96, 200)}
    corners |= {"e": (99, 60), "f": (101, 60), "g": (101, 64), "h": (99, 64)}
    one = {"token": "road", "exterior_node_tokens": list("abcd"), "holes": [{"node_tokens": list("efgh")}]}
    content = {
        "node": [{"token": token, "x": x, "y": y} for token, (x, y) in corners.items()],
        "polygon": [one],
        "drivable_area": [{"token": "d", "polygon_tokens": ["road"]}],
        "lane": [{"token": "l", "polygon_token": "road"}],
        "ped_crossing": [],
        "walkway": [],
    }
    (folder / "maps" / "expansion").mkdir(parents=True)
    (folder / "maps" / "expansion" / "town.json").write_text(json.dumps(content))
