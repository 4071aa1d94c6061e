"""KITTI 3D object detection: camera and lidar → objects in bird's-eye view.

A. Geiger, P. Lenz, R. Urtasun: Are We Ready for Autonomous Driving? The KITTI Vision Benchmark Suite, CVPR 2012. From
https://www.cvlibs.net/datasets/kitti/eval_object.php?obj_benchmark=3d (an account is asked for): left colour images,
velodyne point clouds, camera calibration, training labels. Licence: CC BY-NC-SA 3.0, not for commercial use. Layout:

    training/image_2/000000.png  training/velodyne/000000.bin  training/calib/000000.txt  training/label_2/000000.txt

The test folder has no labels, so samples are those of training/. Frame numbers say nothing of the drive that a frame
is from, and neighbours in a drive look alike: `groups` may name a file that gives each frame its drive (see below).

Points and boxes are given in the ego frame: the velodyne's axes are parallel to it (x forward, y left, z up), and it
stands `sensor` = (0.76, 0, 1.73) m from the rear axle's projection to the ground, by the drawing of the sensor setup
(A. Geiger et al.: Vision meets Robotics: The KITTI Dataset, IJRR 2013, figure 3). One frame has no velocities: NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.data.driving.frames import heading, inverse, moved, turned
from crossfade.data.driving.kitti_files import Calibration, Label, read_calibration, read_labels, read_velodyne
from crossfade.data.driving.public import (
    Offer,
    PublicSource,
    check_offers,
    check_policy,
    classes_of,
    folder_given,
    left_out,
)
from crossfade.data.readers import Fault
from crossfade.data.readers.image import read_image
from crossfade.data.source import Frame
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

SITE = "https://www.cvlibs.net/datasets/kitti/eval_object.php?obj_benchmark=3d"
HOW = f"Get the images, velodyne points, calibration and labels from {SITE}"
KINDS = ("Car", "Van", "Truck", "Tram", "Pedestrian", "Person_sitting", "Cyclist", "Misc", "DontCare")
CLOUDS = ("velodyne", "velodyne_reduced")  # all around; only what the camera sees too
OFFERS = {"camera": Offer("image", channels=3), "lidar": Offer("points", channels=4)}
TRUTHS = {"perception": ("detection",), "presence": ("multilabel",)}


class KittiObjects(PublicSource):
    """The published folder as samples, one per frame that has a label file.

    Modalities: `camera` (3, H, W) in grey levels, `lidar` (N, 4) x, y, z in m of the ego frame, reflectance in [0, 1].
    Targets: `perception` (n, 8) class, x, y, length, width (m), heading (rad), NaN, NaN; `presence`, the classes that
    are there. A frame without objects is known to be empty.
    `classes`: KITTI's type → ours; types that are not named (and DontCare) are no objects.
    `sensor`: where the velodyne stands in the ego frame, m. `groups`: a text file, line i names the drive of frame i.
    Raises UserError saying what of the layout is missing; ReadError where a frame's file is damaged.
    """

    name = "KITTI"

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int = 0,
        root: str | Path | None = None,
        *,
        classes: Mapping[str, str],
        sensor: Sequence[float] = (0.76, 0.0, 1.73),
        groups: str | Path | None = None,
        on_error: str = "error",
    ) -> None:
        folder = folder_given(root, HOW)
        check_policy(on_error)
        check_offers(self.name, modalities, targets, OFFERS, TRUTHS)
        if len(sensor) != 3 or not np.isfinite(sensor).all():
            raise UserError(f"data.source.sensor={list(sensor)}: three numbers, x, y, z in m.")
        self.folder, self.sensor = folder / "training", np.asarray(sensor, dtype=np.float64)
        self.classes = dict(classes)
        unknown = [kind for kind in self.classes if kind not in KINDS]
        if unknown:
            raise UserError(f"data.source.classes: KITTI has no type {', '.join(unknown)}. It has {', '.join(KINDS)}.")
        self.numbers = classes_of(targets, set(self.classes.values()))
        self.cloud = self._layout(folder)
        ids = sorted(path.stem for path in (self.folder / "label_2").glob("*.txt"))
        found: dict[str, tuple[Calibration, list[Label]]] = {}
        faults = []
        for name in ids:
            try:
                found[name] = (self._calibration(name), self._labels(name))
            except Fault as fault:
                faults.append(str(fault))
        left_out(self.name, faults, on_error, "frame")
        ids = list(found)
        if not ids:
            raise UserError(f"{self.folder / 'label_2'}: no frame that can be used.")
        objects = [self._objects(*found[name]) for name in ids]
        truth: dict[str, Sequence[Any]] = {}
        for name, target in targets.items():
            number = self.numbers[name]
            truth[name] = [
                _boxes(o, number) if target.kind == "detection" else sorted({c for c, _ in o if c in number})
                for o in objects
            ]
        there = {"camera": ("image_2", "png"), "lidar": (self.cloud, "bin")}
        self.paths = {m: [self.folder / there[m][0] / f"{i}.{there[m][1]}" for i in ids] for m in modalities}
        listed = {m: {path.name for path in (self.folder / there[m][0]).iterdir()} for m in modalities}
        missing = [str(p) for m, paths in self.paths.items() for p in paths if p.name not in listed[m]]
        if missing and on_error == "error":
            raise UserError(
                f"KITTI: {len(missing)} files are missing, first {missing[0]}. Get them, or go on without: "
                "data.on_error=skip leaves those frames out, data.on_error=absent only the modality."
            )
        present = np.array([[True for _ in modalities] for _ in ids], dtype=bool).reshape(len(ids), len(modalities))
        frame = Frame(ids=ids, groups=_drives(groups, ids), present=present, truth=truth)
        files = [self.folder / part / f"{i}.txt" for i in ids for part in ("calib", "label_2")]
        files += [path for m, paths in self.paths.items() for path in paths if path.name in listed[m]]
        super().__init__(modalities, frame, files, [self.classes, self.sensor.tolist()])

    def value(self, index: int, modality: str) -> Any | None:
        path = self.paths[modality][index]
        try:
            if modality == "camera":
                if not path.is_file():
                    raise Fault("no such file")
                return read_image(path, 3)
            points = read_velodyne(path).copy()
        except Fault as fault:
            raise Fault(f"{path}: {fault}") from fault
        points[:, :3] += self.sensor.astype(np.float32)
        return points

    def _layout(self, root: Path) -> str:
        """The name of the folder of point clouds, after checking that the folders are there."""
        cloud = next((name for name in CLOUDS if (self.folder / name).is_dir()), CLOUDS[0])
        needed = ("image_2", cloud, "calib", "label_2")
        missing = [f"training/{name}/" for name in needed if not (self.folder / name).is_dir()]
        if missing:
            raise UserError(
                *(f"data.root={root}: no folder {name}." for name in missing),
                f"Expected the layout of {SITE}: training/ with image_2/, velodyne/, calib/ and label_2/.",
            )
        return cloud

    def _calibration(self, name: str) -> Calibration:
        path = self.folder / "calib" / f"{name}.txt"
        try:
            return read_calibration(path)
        except Fault as fault:
            raise Fault(f"{path}: {fault}.") from fault

    def _labels(self, name: str) -> list[Label]:
        path = self.folder / "label_2" / f"{name}.txt"
        try:
            labels = read_labels(path)
            strange = sorted({label.kind for label in labels} - set(KINDS))
            if strange:
                raise Fault(f"type {', '.join(strange)} is none of KITTI's: {', '.join(KINDS)}")
        except Fault as fault:
            raise Fault(f"{path}: {fault}.") from fault
        return labels

    def _objects(self, calibration: Calibration, labels: Sequence[Label]) -> list[tuple[str, np.ndarray]]:
        """Class and x, y, length, width, heading in the ego frame of the objects that have a class."""
        velodyne = inverse(calibration.camera)
        found = []
        for label in labels:
            if label.kind == "DontCare" or label.kind not in self.classes:
                continue
            place = moved(velodyne, np.array([label.place]))[0] + self.sensor
            ahead = turned(velodyne, np.array([[np.cos(label.turn), 0.0, -np.sin(label.turn)]]))
            _, width, length = label.size
            found.append((self.classes[label.kind], np.array([*place[:2], length, width, heading(ahead)[0]])))
        return found


def _boxes(objects: list[tuple[str, np.ndarray]], number: Mapping[str, int]) -> np.ndarray:
    """float32 (n, 8), the raw truth of a detection; objects of a class that the target does not name are left out."""
    rows = [[number[c], *box, np.nan, np.nan] for c, box in objects if c in number]
    return np.array(rows, dtype=np.float32).reshape(-1, 8)


def _drives(groups: str | Path | None, ids: Sequence[str]) -> list[str]:
    """The group of each frame: its own, or the drive that the file's line of its number names."""
    if groups is None:
        return list(ids)
    path = Path(groups).expanduser()
    if not path.is_file():
        raise UserError(f"data.source.groups={groups}: no such file. It has a line per frame that names its drive.")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    beyond = [i for i in ids if not i.isdigit() or int(i) >= len(lines) or not lines[int(i)]]
    if beyond:
        raise UserError(
            f"{path}: {len(lines)} lines, none for frame {beyond[0]}. Line i + 1 names the drive of frame i."
        )
    return [lines[int(i)] for i in ids]
