"""The files of one frame of the KITTI object set: calibration, labels, point cloud."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crossfade.data.driving.frames import rigid
from crossfade.data.readers import Fault

SHAPES = {"P2": (3, 4), "R0_rect": (3, 3), "Tr_velo_to_cam": (3, 4)}
FIELDS = (
    15  # of a label's line: type, truncation, occlusion, angle, 4 of the image, 3 sizes, 3 places, turn; then a score
)
POINT = 4  # float32 of a point: x, y, z, reflectance


@dataclass(frozen=True)
class Calibration:
    """`image` (3, 4): rectified camera frame → pixels of camera 2. `camera` (4, 4): velodyne → rectified camera frame.

    Camera frame: x right, y down, z forward; velodyne frame: x forward, y left, z up; m.
    """

    image: np.ndarray
    camera: np.ndarray

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) of the rectified camera frame → pixels (N, 2); only for points with z > 0."""
        pixels = np.concatenate([points, np.ones((len(points), 1))], 1) @ self.image.T
        return pixels[:, :2] / pixels[:, 2:]


@dataclass(frozen=True)
class Label:
    """One line of a label file: the box's bottom centre `place` in the rectified camera frame, `size` h, w, l in m.

    `turn` is the rotation about the camera's y axis (down), 0 along its x axis; `box` left, top, right, bottom, pixels.
    """

    kind: str
    box: tuple[float, float, float, float]
    size: tuple[float, float, float]
    place: tuple[float, float, float]
    turn: float


def read_calibration(path: Path) -> Calibration:
    """calib/: raises Fault where a matrix is missing, has another size, or where the rotations are none."""
    found = {}
    for number, line in enumerate(_lines(path)):
        name, colon, numbers = line.partition(":")
        if colon and name.strip() in SHAPES:
            found[name.strip()] = _matrix(name.strip(), numbers, number + 1)
    missing = [name for name in SHAPES if name not in found]
    if missing:
        raise Fault(f"no {', '.join(missing)}; expected lines that begin with {', '.join(f'{n}:' for n in SHAPES)}")
    for name in ("R0_rect", "Tr_velo_to_cam"):
        turn = found[name][:, :3]
        if np.abs(turn @ turn.T - np.eye(3)).max() > 0.01 or np.linalg.det(turn) < 0:
            raise Fault(f"{name} is no rotation: the calibration is damaged")
    rectify = rigid(found["R0_rect"], np.zeros(3))
    velodyne = found["Tr_velo_to_cam"]
    return Calibration(found["P2"], rectify @ rigid(velodyne[:, :3], velodyne[:, 3]))


def read_labels(path: Path) -> list[Label]:
    """label_2/: all lines; an empty file is a scene without objects. Raises Fault naming the line."""
    labels = []
    for number, line in enumerate(_lines(path)):
        cells = line.split()
        if not cells:
            continue
        if len(cells) not in (FIELDS, FIELDS + 1):
            raise Fault(f"line {number + 1} has {len(cells)} fields, expected {FIELDS}: type, …, rotation_y")
        v = _numbers(cells[1:], number + 1)
        labels.append(Label(cells[0], (v[3], v[4], v[5], v[6]), (v[7], v[8], v[9]), (v[10], v[11], v[12]), v[13]))
    return labels


def read_velodyne(path: Path) -> np.ndarray:
    """velodyne/: float32 (N, 4), x, y, z in m of the velodyne frame and reflectance in [0, 1]; N may be 0.

    Raises Fault where the file is cut off or holds what is no number.
    """
    if not path.is_file():
        raise Fault("no such file")
    size = path.stat().st_size
    if size % (4 * POINT):
        raise Fault(f"{size} bytes are no whole number of points of {4 * POINT} bytes: cut off, or of another format")
    points = np.fromfile(path, dtype="<f4").reshape(-1, POINT)
    bad = int((~np.isfinite(points)).any(1).sum())
    if bad:
        raise Fault(f"{bad} of {len(points)} points hold NaN or infinite values")
    return points


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise Fault("no such file")
    try:
        return path.read_text(encoding="ascii").splitlines()
    except UnicodeDecodeError as error:
        raise Fault("is no text file") from error


def _matrix(name: str, numbers: str, line: int) -> np.ndarray:
    values = _numbers(numbers.split(), line)
    shape = SHAPES[name]
    if len(values) != shape[0] * shape[1]:
        raise Fault(f"{name} has {len(values)} numbers, expected {shape[0] * shape[1]}")
    return np.array(values).reshape(shape)


def _numbers(cells: list[str], line: int) -> list[float]:
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        raise Fault(f"line {line}: {error}") from error
    if not np.isfinite(values).all():
        raise Fault(f"line {line} holds NaN or infinite numbers")
    return values
