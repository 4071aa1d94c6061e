"""The logs of one comma2k19 segment: NumPy files `t` and `value` without a suffix, one folder per stream."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crossfade.data.align import TOLERANCE, Clock, Stream
from crossfade.data.readers import Fault
from crossfade.data.readers.arrays import load_array

LOG = Path("processed_log")
GNSS = ("live_gnss_ublox", "live_gnss_qcom")  # receivers, the better one first
GNSS_FIELDS = 6  # latitude, longitude (°), speed (m/s), time (ms since 1970), altitude (m), bearing (°)
RADAR_FIELDS = 7  # ahead, left (m), relative speed (m/s), two that are empty, address, new track
LANE = 2.0  # m to the left or right of the car's middle: in its lane
DRIFT = 1e-3  # s per s; a quartz clock is off by 1e-4 at most


def read_stream(segment: Path, part: str, columns: int, modality: str) -> Stream:
    """One stream under processed_log/, with `columns` values a row, as logged.

    Raises Fault where a file is missing, damaged, of another shape, or holds infinite values; ReadError for stamps
    that are no number.
    """
    folder = segment / LOG / part
    time, value = load(folder / "t"), load(folder / "value")
    value = value[:, None] if value.ndim == 1 else value
    if time.ndim != 1 or value.shape != (len(time), columns):
        raise Fault(f"{folder}: t has shape {time.shape} and value {value.shape}, expected (n,) and (n, {columns})")
    return Stream(f"{segment.name}/{part}", time, value, modality)


def read_radar(segment: Path, unordered: str) -> Stream:
    """The radar's sweeps: distance ahead (m) and relative speed (m/s) of the nearest object in lane, and how many there
    are. All objects of a sweep share its stamp. Without an object in lane: NaN, NaN, 0.
    """
    raw = read_stream(segment, "CAN/radar", RADAR_FIELDS, "radar")
    if unordered == "sort":
        order = np.argsort(raw.time, kind="stable")
        raw = Stream(raw.name, raw.time[order], raw.value[order], raw.modality)
    elif (back := np.flatnonzero(np.diff(raw.time) < -TOLERANCE)).size:
        i = int(back[0])
        raise raw.fault(
            f"{len(back)} stamps lie before their predecessor, first row {i + 1} ({raw.time[i + 1]:.6f} s after "
            f"{raw.time[i]:.6f} s). Mend the log, or sort it: data.source.unordered=sort"
        )
    starts = np.flatnonzero(np.diff(raw.time, prepend=-np.inf) > TOLERANCE)
    sweeps = np.full((len(starts), 3), np.nan)
    for row, objects in zip(sweeps, np.split(raw.value, starts[1:]), strict=False):
        near = objects[(np.abs(objects[:, 1]) < LANE) & (objects[:, 0] > 0)]
        row[2] = len(near)
        if len(near):
            row[:2] = near[near[:, 0].argmin()][[0, 2]]
    return Stream(raw.name, raw.time[starts], sweeps, raw.modality)


def read_gnss(segment: Path) -> Stream:
    """Speed (m/s), sine and cosine of the bearing of the better receiver that was logged."""
    name = next((name for name in GNSS if (segment / LOG / "GNSS" / name).is_dir()), GNSS[0])
    raw = read_stream(segment, f"GNSS/{name}", GNSS_FIELDS, "gnss")
    bearing = np.deg2rad(raw.value[:, 5])
    return Stream(raw.name, raw.time, np.stack([raw.value[:, 2], np.sin(bearing), np.cos(bearing)], 1), raw.modality)


def check_clock(segment: Path) -> None:
    """Fault where the device's clock, which stamps all streams, runs otherwise than GPS time does.

    Where global_pose/ is not there nothing can be compared.
    """
    own, given = segment / "global_pose" / "frame_times", segment / "global_pose" / "frame_gps_times"
    if not own.is_file() or not given.is_file():
        return
    frames, gps = load(own), load(given)
    if frames.ndim != 1 or gps.shape != (len(frames), 2):
        raise Fault(f"{given}: shapes {frames.shape} and {gps.shape}, expected (n,) and (n, 2): week, seconds")
    if len(frames) < 2:
        return
    drift = Clock.between(frames, gps[:, 0] * 604800.0 + gps[:, 1]).drift
    if abs(drift) > DRIFT:
        raise Fault(
            f"{own}: the device's clock drifts {1e6 * drift:.0f} ppm against GPS time, over {1e6 * DRIFT:.0f}: its "
            "stamps are no seconds. Correct them, or leave the segment out"
        )


def load(path: Path) -> np.ndarray:
    """float64 of one of the set's files. Raises Fault."""
    if not path.is_file():
        raise Fault(f"{path}: no such file")
    try:
        array = load_array(path)
    except Fault as fault:
        raise Fault(f"{path}: {fault}") from fault
    if array.dtype.kind not in "fiu":
        raise Fault(f"{path}: holds values of type {array.dtype}, not numbers")
    if np.isinf(array).any():
        raise Fault(f"{path}: holds infinite values")
    return array.astype(np.float64)
