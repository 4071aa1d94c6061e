"""nuScenes: cameras, lidar, radars and map → objects around the car, and where they go.

H. Caesar et al.: nuScenes: A Multimodal Dataset for Autonomous Driving, CVPR 2020, arXiv:1903.11027. From
https://www.nuscenes.org/nuscenes (an account is asked for): v1.0-mini or v1.0-trainval, and the map expansion. Licence:
CC BY-NC-SA 4.0, not for commercial use. Layout:

    v1.0-trainval/*.json    samples/CAM_FRONT/*.jpg …  samples/LIDAR_TOP/*.pcd.bin  samples/RADAR_FRONT/*.pcd …
    maps/expansion/*.json   (a download of its own; without it the modality `map` is absent)

A sample is a key frame (2 a second). Everything is given in the ego frame of the moment at which LIDAR_TOP measured:
the rear axle's middle projected to the ground, as nuScenes has it too. Groups are scenes of 20 s. The test set of the
benchmark has no labels, so its `val` scenes are the test split here, and validation scenes are taken from `train`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.data.driving import frames
from crossfade.data.driving.nuscenes_map import LAYERS, Polygon, draw_map, read_map
from crossfade.data.driving.nuscenes_objects import boxes, objects, trajectories
from crossfade.data.driving.nuscenes_tables import Measurement, check_boxes, read_tables
from crossfade.data.driving.public import (
    Offer,
    PublicSource,
    check_offers,
    check_policy,
    classes_of,
    folder_given,
)
from crossfade.data.readers import Fault
from crossfade.data.readers.image import read_image
from crossfade.data.readers.pcd import read_pcd
from crossfade.data.source import Frame
from crossfade.errors import ReadError, UserError
from crossfade.specs import ModalitySpec, TargetSpec

SITE = "https://www.nuscenes.org/nuscenes"
HOW = f"Get v1.0-mini or v1.0-trainval from {SITE}"
LIDAR = "LIDAR_TOP"
CAMERAS = ("CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_BACK_RIGHT", "CAM_BACK", "CAM_BACK_LEFT", "CAM_FRONT_LEFT")
OTHERS = {
    "lidar": Offer("points", channels=4),
    "radar": Offer("points", channels=6),
    "map": Offer("image", channels=len(LAYERS)),
}
TRUTHS = {"perception": ("detection",), "presence": ("multilabel",), "behaviour": ("trajectories",)}
RADAR = ("x", "y", "z", "vx_comp", "vy_comp", "rcs", "invalid_state", "dyn_prop", "ambig_state")
LIDAR_FIELDS = 5  # float32 of a point: x, y, z, intensity, ring
MINI_VAL = (103, 916)
VAL = (  # numbers of the scenes of the official validation split: first and last of each run
    (3, 3), (12, 18), (35, 36), (38, 39), (92, 110), (221, 221), (268, 278), (329, 332), (344, 346), (519, 524),
    (552, 565), (625, 627), (629, 630), (632, 638), (770, 771), (775, 775), (777, 778), (780, 784), (794, 800),
    (802, 802), (904, 917), (919, 931), (962, 963), (966, 969), (971, 972), (1059, 1073),
)  # fmt: skip


class NuScenes(PublicSource):
    """The published folder as samples, one per key frame, read without the devkit.

    `cameras`: modality → channels, whose images stand one after another in the modality's channels (3 each).
    Modalities besides: `lidar` (N, 4) x, y, z (m), intensity; `radar` (N, 6) x, y, z (m), velocity over ground (m/s, x
    and y), radar cross-section (dBsm), of all radars; `map` (4, S, S) over the modality's `extent`.
    `classes`: category, or the beginning of one → ours; other objects are none.
    Targets: `perception` (n, 8) class, x, y, length, width (m), heading (rad), vx, vy (m/s over ground, NaN unknown);
    `presence`, the classes with a box inside of `extent`; `behaviour` (A, 7, 2) places (m) now and in 0.5 … 3 s, NaN
    where the object is not annotated any more. Boxes without a lidar or radar point count where `unseen`.
    `split`: official, or null for own ones by scene. Raises UserError saying what of the layout is missing.
    """

    name = "nuScenes"

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int = 0,
        root: str | Path | None = None,
        *,
        cameras: Mapping[str, Sequence[str]],
        classes: Mapping[str, str],
        version: str | None = None,
        extent: Sequence[float] = (0.0, 64.0, -32.0, 32.0),
        unseen: bool = False,
        split: str | None = "official",
        on_error: str = "error",
    ) -> None:
        self.folder = folder_given(root, HOW)
        check_policy(on_error)
        self.cameras = {name: tuple(channels) for name, channels in cameras.items()}
        _check_cameras(self.cameras)
        offers = {**OTHERS, **{n: Offer("image", channels=3 * len(c)) for n, c in self.cameras.items()}}
        check_offers(self.name, modalities, targets, offers, TRUTHS)
        self.classes, self.extent, self.unseen = dict(classes), tuple(extent), unseen
        self.numbers = classes_of({n: t for n, t in targets.items() if n != "behaviour"}, set(self.classes.values()))
        if "map" in modalities and modalities["map"].extent is None:
            raise UserError(
                "modality.map.extent is not given: say which ground it covers, [x_min, x_max, y_min, y_max] m."
            )
        if split not in (None, "official"):
            raise UserError(f"data.source.split={split}: allowed are official, null.")
        self.version = _version(self.folder, version)
        used = {c for n in modalities for c in self.cameras.get(n, ())} | {LIDAR}
        radar = "radar" in modalities
        tables = read_tables(self.folder / self.version, lambda c: c in used or (radar and c.startswith("RADAR_")))
        if problems := check_boxes(tables):
            raise UserError(*(f"{self.folder / self.version}/{problem}" for problem in problems))
        self.tables, self.samples = tables, tables.samples
        blind = [sample.token for sample in self.samples if LIDAR not in sample.measured]
        if blind or len(self.samples) < 2:
            raise UserError(
                f"{self.folder / self.version}: {len(self.samples)} samples, {len(blind)} of them without {LIDAR}"
                f"{f' (first {blind[0]})' if blind else ''}. At least two are needed, each with {LIDAR}."
            )
        self._maps = functools.lru_cache(maxsize=4)(read_map)
        present = [
            [self._has(sample.measured, sample.location, name) for name in modalities] for sample in self.samples
        ]
        truth: dict[str, Sequence[Any]] = {
            n: [partial(self._truth, i, n) for i in range(len(self.samples))] for n in targets
        }
        frame = Frame(
            ids=[sample.token for sample in self.samples],
            groups=[sample.scene for sample in self.samples],
            present=np.array(present, dtype=bool).reshape(len(self.samples), len(modalities)),
            truth=truth,
            split=None if split is None else self._split(),
        )
        files = sorted((self.folder / self.version).glob("*.json"))
        options = [self.version, self.cameras, self.classes, self.extent, unseen, split]
        super().__init__(modalities, frame, files, options)

    def __getstate__(self) -> dict[str, Any]:  # a worker process reads its own maps
        return {**self.__dict__, "_maps": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._maps = functools.lru_cache(maxsize=4)(read_map)

    def value(self, index: int, modality: str) -> Any | None:
        sample = self.samples[index]
        if modality in self.cameras:
            files = [self.folder / sample.measured[channel].file for channel in self.cameras[modality]]
            return _stacked([_image(file) for file in files])
        to_ego = self._to_ego(index)
        if modality == "lidar":
            return self._lidar(sample.measured[LIDAR], to_ego)
        if modality == "radar":
            radars = [m for channel, m in sorted(sample.measured.items()) if channel.startswith("RADAR_")]
            return np.concatenate([self._radar(radar, to_ego) for radar in radars])
        spec = self.modalities["map"]
        assert spec.extent is not None  # checked at the start
        layers: dict[str, list[Polygon]] = self._maps(self._map_file(sample.location))
        return draw_map(layers, to_ego, spec.extent, spec.size)

    def _to_ego(self, index: int) -> np.ndarray:
        """World → ego frame of the sample's moment."""
        return frames.inverse(self.samples[index].measured[LIDAR].ego_to_world())

    def _map_file(self, location: str) -> Path:
        return self.folder / "maps" / "expansion" / f"{location}.json"

    def _has(self, measured: Mapping[str, Measurement], location: str, modality: str) -> bool:
        if modality in self.cameras:
            return all(channel in measured for channel in self.cameras[modality])
        if modality == "radar":
            return any(channel.startswith("RADAR_") for channel in measured)
        return modality == "lidar" or self._map_file(location).is_file()

    def _lidar(self, measured: Measurement, to_ego: np.ndarray) -> np.ndarray:
        path = self.folder / measured.file
        if not path.is_file():
            raise Fault(f"{path}: no such file")
        size = path.stat().st_size
        if size % (4 * LIDAR_FIELDS):
            raise Fault(
                f"{path}: {size} bytes are no whole number of points of {4 * LIDAR_FIELDS} bytes: it is cut off"
            )
        points = np.fromfile(path, dtype="<f4").reshape(-1, LIDAR_FIELDS)[:, :4]
        points[:, :3] = frames.moved(to_ego @ measured.to_world(), points[:, :3].astype(np.float64))
        return _finite(points, path)

    def _radar(self, measured: Measurement, to_ego: np.ndarray) -> np.ndarray:
        """The valid returns (as the devkit has it: not invalid, unambiguous, of a known dynamic property)."""
        path = self.folder / measured.file
        try:
            records = read_pcd(path)
        except Fault as fault:
            raise Fault(f"{path}: {fault}") from fault
        missing = [name for name in RADAR if name not in (records.dtype.names or ())]
        if missing:
            raise Fault(f"{path}: no field {', '.join(missing)}")
        records = records[(records["invalid_state"] == 0) & (records["ambig_state"] == 3) & (records["dyn_prop"] <= 6)]
        motion = to_ego @ measured.to_world()
        place = frames.moved(motion, np.stack([records[a].astype(np.float64) for a in "xyz"], 1))
        flat = np.stack([records["vx_comp"], records["vy_comp"], np.zeros(len(records))], 1)
        speed = frames.turned(motion, flat)[:, :2]
        return _finite(np.concatenate([place, speed, records["rcs"][:, None]], 1).astype(np.float32), path)

    def _truth(self, index: int, target: str) -> Any:
        try:
            to_ego = self._to_ego(index)
            found = objects(self.tables, self.samples[index].token, self.classes, self.unseen)
            if target == "behaviour":
                return trajectories(self.tables, found, to_ego)
            around = boxes(self.tables, found, to_ego)
            number = self.numbers[target]
            if target == "presence":
                x_min, x_max, y_min, y_max = self.extent
                inside = {c for c, box in around if x_min <= box[0] < x_max and y_min <= box[1] < y_max}
                return sorted(inside & set(number))
            rows = [[number[c], *box] for c, box in around if c in number]
            return np.array(rows, dtype=np.float32).reshape(-1, 8)
        except Fault as fault:
            raise ReadError(f'nuScenes, sample "{self.samples[index].token}", target {target}: {fault}.', "") from fault

    def _split(self) -> list[str] | None:
        """test: the official validation scenes; train: the others; None where no scene is on the official lists."""
        mini = self.version.endswith("mini")
        test = set(MINI_VAL) if mini else {n for first, last in VAL for n in range(first, last + 1)}
        parts = ["test" if _number(sample.scene) in test else "train" for sample in self.samples]
        return parts if set(parts) == {"train", "test"} else None


def _check_cameras(cameras: Mapping[str, Sequence[str]]) -> None:
    for name, channels in cameras.items():
        strange = [c for c in channels if c not in CAMERAS]
        if strange or not channels:
            raise UserError(
                f"data.source.cameras.{name}={list(channels)}: a list of one or more of {', '.join(CAMERAS)}."
            )
        if name in OTHERS:
            raise UserError(f"data.source.cameras.{name}: this name is that of another modality.")


def _version(folder: Path, asked: str | None) -> str:
    there = sorted(path.name for path in folder.glob("v1.0-*") if path.is_dir())
    labelled = [name for name in there if not name.endswith("test")]
    if asked is not None and asked not in there:
        raise UserError(f"data.source.version={asked}: data.root={folder} has {', '.join(there) or 'no v1.0-*'}.")
    if asked is None and len(labelled) != 1:
        raise UserError(
            f"data.root={folder}: {'no folder v1.0-*' if not labelled else 'several: ' + ', '.join(labelled)}. "
            f"{HOW}; data.source.version=v1.0-mini says which to read."
        )
    return asked or labelled[0]


def _number(scene: str) -> int:
    digits = scene.rpartition("-")[2]
    return int(digits) if digits.isdigit() else -1


def _image(path: Path) -> np.ndarray:
    try:
        if not path.is_file():
            raise Fault("no such file")
        return read_image(path, 3)
    except Fault as fault:
        raise Fault(f"{path}: {fault}") from fault


def _stacked(images: list[np.ndarray]) -> np.ndarray:
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1:
        raise Fault(f"its cameras have images of different sizes: {shapes}")
    return np.concatenate(images)


def _finite(points: np.ndarray, path: Path) -> np.ndarray:
    bad = int((~np.isfinite(points)).any(1).sum())
    if bad:
        raise Fault(f"{path}: {bad} of {len(points)} points hold NaN or infinite values")
    return points
