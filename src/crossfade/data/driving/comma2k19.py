"""comma2k19: CAN, IMU, radar and GNSS of a car on the motorway → how its speed changes next.

H. Schafer, E. Santana, A. Haden, R. Biasini: A Commute in Data: The comma2k19 Dataset, arXiv:1812.05752 (2018). From
https://github.com/commaai/comma2k19 (Chunk_1.zip … Chunk_10.zip, 100 GB; Example_1.tar.gz there is one minute).
Licence: MIT. Layout, where `|` is part of the route's name and a segment is a minute of it:

    Chunk_1/<dongle>|<date>/<segment>/processed_log/{CAN/speed,CAN/steering_angle,CAN/wheel_speed,CAN/radar,
        IMU/accelerometer,IMU/gyro,GNSS/live_gnss_ublox,…}/{t,value}, global_pose/…, video.hevc

All streams are stamped by one clock (s since the device's start). They are brought onto one axis per sample that ends
at the sample's moment and looks at nothing after it: the last CAN, radar and GNSS value that is not too old, means of
the IMU between two moments of the axis.

Against leaks: what a sample sees and what it is to tell lie within one 10 s block, so no measurement is in two groups.
Blocks of one drive still resemble each other: for a fair study of the full set take `group: route`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.data.align import Stream, hold, window
from crossfade.data.driving.comma2k19_files import GNSS, LOG, check_clock, read_gnss, read_radar, read_stream
from crossfade.data.driving.public import Offer, PublicSource, check_offers, check_policy, folder_given, left_out
from crossfade.data.readers import Fault
from crossfade.data.source import Frame
from crossfade.errors import ReadError, UserError
from crossfade.specs import ModalitySpec, TargetSpec

SITE = "https://github.com/commaai/comma2k19"
HOW = f"Get it from {SITE} and unpack it (Example_1.tar.gz: one minute; Chunk_1.zip …: all)."
CHANGES = ("slow down", "keep", "speed up")
CAN = {"speed": 1, "steering_angle": 1, "wheel_speed": 4}  # stream → columns; m/s, °, m/s
IMU = {"accelerometer": 3, "gyro": 3}  # m/s², rad/s; forward, right, down
RATES = {"CAN": 90.0, "IMU": 104.0}  # Hz; within half and one and a half of it is accepted
OLDEST = {"can": 0.1, "radar": 0.25, "gnss": 2.5}  # s: how old the last value may be that still counts
OFFERS = {name: Offer("series") for name in ("can", "imu", "radar", "gnss")}
TRUTHS = {"speed_change": ("regression",), "manoeuvre": ("multiclass",)}
GROUPS = ("block", "segment", "route")
BEFORE, DUPLICATES = ("error", "sort"), ("error", "first", "last", "mean")


class Comma2k19(PublicSource):
    """The published folder as samples, one every `step` s of each segment.

    Modalities, series of the last `history` s at `rate` Hz, NaN where nothing was logged:
      can    (T, 6) speed (m/s), steering angle (°), four wheel speeds (m/s)
      imu    (T, 6) acceleration (m/s²) and turn rate (rad/s), each forward, right, down
      radar  (T, 3) distance (m) and relative speed (m/s) of the nearest object in lane, number of objects in lane
      gnss   (T, 3) speed (m/s), sine and cosine of the bearing
    Targets: `speed_change` (m/s): speed in `horizon` s less speed now; `manoeuvre`: slow down, keep, speed up, where
    keep is a change of less than `threshold` m/s.
    `group`: block (of `block` s), segment, route. `unordered`: error | sort, for stamps before their predecessor;
    `duplicates`: error | first | last | mean, for equal stamps.
    Raises UserError saying what of the layout is missing; ReadError where a log is damaged.
    """

    name = "comma2k19"

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int = 0,
        root: str | Path | None = None,
        rate: float = 20.0,
        history: float = 4.0,
        horizon: float = 2.0,
        step: float = 0.5,
        block: float = 10.0,
        threshold: float = 0.5,
        group: str = "block",
        unordered: str = "error",
        duplicates: str = "error",
        on_error: str = "error",
    ) -> None:
        folder = folder_given(root, HOW)
        check_policy(on_error)
        check_offers(self.name, modalities, targets, OFFERS, TRUTHS)
        _check_options(rate, history, horizon, step, block, threshold, group, unordered, duplicates)
        _check_rates(modalities, rate)
        self.rate, self.unordered, self.duplicates = rate, unordered, duplicates
        self.steps = round(history * rate)
        self.places: list[tuple[Path, float]] = []  # of each sample: segment, moment (s)
        ids, groups, change, faults = [], [], [], []
        for segment in segments(folder):
            route = segment.parent.name
            try:
                moments, speed = self._moments(segment, history, horizon, step, block)
            except (Fault, ReadError) as fault:
                faults.append(str(fault) if isinstance(fault, ReadError) else f"{fault}.")
                continue
            for n, moment, now, then in zip(*moments, *speed, strict=True):
                self.places.append((segment, moment))
                ids.append(f"{route}/{segment.name}/{moment:.2f}")
                groups.append(
                    {"block": f"{route}/{segment.name}/{n:g}", "segment": f"{route}/{segment.name}", "route": route}[
                        group
                    ]
                )
                change.append(float(then - now))
        left_out(self.name, faults, on_error, "segment")
        if len(ids) < 2:
            raise UserError(
                f"data.root={root}: {len(ids)} samples. A block of {block:g} s holds none, or no speed was logged: "
                "data.source.history, horizon and step must fit into data.source.block."
            )
        self._read = functools.lru_cache(maxsize=8)(self._stream)  # samples follow each other, segment by segment
        there = {s: _there(s) for s in dict.fromkeys(s for s, _ in self.places)}
        present = [[name in there[segment] for name in modalities] for segment, _ in self.places]
        named = [CHANGES[1 + int(np.sign(c)) * (abs(c) >= threshold)] for c in change]
        truth: dict[str, Sequence[Any]] = {name: change if name == "speed_change" else named for name in targets}
        frame = Frame(ids, groups, np.array(present, dtype=bool), truth)
        options = [rate, history, horizon, step, block, threshold, group, unordered, duplicates]
        super().__init__(modalities, frame, [f for s in there for f in sorted((s / LOG).rglob("value"))], options)

    def __getstate__(self) -> dict[str, Any]:  # a worker process makes its own cache
        return {**self.__dict__, "_read": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._read = functools.lru_cache(maxsize=8)(self._stream)

    def value(self, index: int, modality: str) -> Any | None:
        segment, moment = self.places[index]
        at = moment - np.arange(self.steps - 1, -1, -1) / self.rate
        parts = []
        for stream in self._read(segment, modality):
            parts.append(window(stream, at, 1 / self.rate) if modality == "imu" else hold(stream, at, OLDEST[modality]))
        series = np.concatenate(parts, 1).astype(np.float32)
        return None if np.isnan(series).all() else series

    def _stream(self, segment: Path, modality: str) -> list[Stream]:
        """The streams of a modality, in order and checked."""
        if modality == "radar":
            return [read_radar(segment, self.unordered)]
        if modality == "gnss":
            return [self._ordered(read_gnss(segment))]
        part, columns = ("CAN", CAN) if modality == "can" else ("IMU", IMU)
        streams = [read_stream(segment, f"{part}/{name}", n, modality) for name, n in columns.items()]
        streams = [self._ordered(stream) for stream in streams]
        for stream in streams:
            stream.check_rate(RATES[part], 0.5)
        return streams

    def _ordered(self, stream: Stream) -> Stream:
        return stream.ordered(self.unordered, self.duplicates)  # type: ignore[arg-type]  # checked at the start

    def _moments(
        self, segment: Path, history: float, horizon: float, step: float, block: float
    ) -> tuple[tuple[list[float], list[float]], tuple[np.ndarray, np.ndarray]]:
        """Block and moment (s) of each sample of a segment; its speed then and after the horizon (m/s)."""
        check_clock(segment)
        speed = self._ordered(read_stream(segment, "CAN/speed", 1, "can"))
        speed.check_rate(RATES["CAN"], 0.5)
        if not len(speed.time):
            return ([], []), (np.zeros(0), np.zeros(0))
        start = float(speed.time[0])
        many = int(np.ceil((speed.time[-1] - start) / block))
        inside = history + step * np.arange(int(np.floor((block - history - horizon) / step + 1e-9)) + 1)
        place = (np.arange(many)[:, None] * block + inside).ravel()
        number = np.repeat(np.arange(many), len(inside))
        now, then = (hold(speed, start + place + after, OLDEST["can"])[:, 0] for after in (0.0, horizon))
        known = ~np.isnan(now) & ~np.isnan(then)
        return (number[known].tolist(), (start + place[known]).tolist()), (now[known], then[known])


def segments(root: Path) -> list[Path]:
    """The folders of all segments at or up to three levels under `root`, in the order of route and number."""
    found = {path.parent for depth in range(4) for path in root.glob("*/" * depth + str(LOG)) if path.is_dir()}
    if not found:
        packed = sorted([*root.glob("*.tar.gz"), *root.glob("*.zip")])
        hint = f" Unpack it first: {packed[0].name}." if packed else ""
        raise UserError(
            f"data.root={root}: no segment, that is a folder with {LOG}/ in it.{hint} "
            f"Expected the layout of {SITE}: Chunk_1/<route>/<segment>/{LOG}/CAN/speed/t."
        )
    return sorted(found, key=lambda path: (str(path.parent), path.name.zfill(6)))


def _there(segment: Path) -> set[str]:
    """The modalities that were logged in a segment."""
    folders = {
        "can": [f"CAN/{name}" for name in CAN],
        "imu": [f"IMU/{name}" for name in IMU],
        "radar": ["CAN/radar"],
    }
    found = {name for name, parts in folders.items() if all((segment / LOG / part).is_dir() for part in parts)}
    return found | ({"gnss"} if any((segment / LOG / "GNSS" / name).is_dir() for name in GNSS) else set())


def _check_options(
    rate: float, history: float, horizon: float, step: float, block: float, threshold: float, group: str,
    unordered: str, duplicates: str,
) -> None:  # fmt: skip
    problems = [
        f"data.source.{key}={value}: a number above 0."
        for key, value in (("rate", rate), ("history", history), ("horizon", horizon), ("step", step), ("block", block))
        if not value > 0
    ]
    if not threshold >= 0:
        problems.append(f"data.source.threshold={threshold}: a number of m/s, 0 or more.")
    if not problems and history + horizon > block:
        problems.append(
            f"data.source.history={history:g} and horizon={horizon:g} do not fit into data.source.block={block:g} s: a "
            "sample lies within one block, so that no measurement is in two groups."
        )
    for key, given, allowed in (
        ("group", group, GROUPS), ("unordered", unordered, BEFORE), ("duplicates", duplicates, DUPLICATES),
    ):  # fmt: skip
        if given not in allowed:
            problems.append(f"data.source.{key}={given}: allowed are {', '.join(allowed)}.")
    if problems:
        raise UserError(*problems)


def _check_rates(modalities: dict[str, ModalitySpec], rate: float) -> None:
    wrong = [name for name, spec in modalities.items() if spec.rate is not None and spec.rate != rate]
    if wrong:
        raise UserError(
            *(f"modality.{n}.rate={modalities[n].rate:g}: data.source.rate={rate:g} Hz is what is read." for n in wrong)
        )
