"""The XML files of one JAAD video: tracks with behaviour, appearance, labels, traffic scene, ego action."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crossfade.data.readers import Fault

BEHAVIOUR = ("occlusion", "action", "look", "nod", "hand_gesture")
SIGNS = ("ped_crossing", "ped_sign", "stop_sign", "traffic_light")
PLACE = ("time_of_day", "weather", "location")
TAGS = (
    "baby", "backpack", "bag_elbow", "bag_hand", "bag_left_side", "bag_right_side", "bag_shoulder",
    "bicycle_motorcycle", "cap", "clothes_below_knee", "clothes_lower_dark", "clothes_lower_light",
    "clothes_upper_dark", "clothes_upper_light", "hood", "object", "phone", "pose_back", "pose_front", "pose_left",
    "pose_right", "stroller_cart", "sunglasses", "umbrella",
)  # fmt: skip
FOLDERS = {  # folder → what the names of its files end in
    "annotations": "",
    "annotations_appearance": "_appearance",
    "annotations_attributes": "_attributes",
    "annotations_traffic": "_traffic",
    "annotations_vehicle": "_vehicle",
}


@dataclass(frozen=True)
class Track:
    """One pedestrian with behaviour annotations: n annotated frames, in their order."""

    frames: np.ndarray  # (n,) numbers of the frames, rising; 30 a second
    boxes: np.ndarray  # (n, 4) x1, y1, x2, y2 as shares of the image's width and height
    elements: list[ET.Element]  # (n,) as they stand in the file: only the frames of windows are read further

    def behaviour(self, at: int) -> dict[str, str]:
        """What the pedestrian does in the track's frame number `at`, by the names of BEHAVIOUR."""
        told = {a.get("name", ""): (a.text or "").strip() for a in self.elements[at].iterfind("attribute")}
        return {key: told.get(key, "") for key in BEHAVIOUR}


@dataclass(frozen=True)
class Video:
    """What a video's main file tells: where and when it was taken, and its pedestrians by ID."""

    place: dict[str, str]
    tracks: dict[str, Track]


class Label(NamedTuple):
    """`crosses`: in front of the car; the file's 0 (not) and −1 (not meant to) are one here. `point`: frame, or −1."""

    crosses: bool
    point: int
    age: str
    gender: str


def file_of(root: Path, folder: str, video: str) -> Path:
    """The file of `video` in one of FOLDERS."""
    return root / folder / f"{video}{FOLDERS[folder]}.xml"


def read_video(root: Path, video: str) -> Video:
    """annotations/: the tracks labelled "pedestrian", which are those with behaviour ("ped" and "people" have none).

    Raises Fault where the file is damaged, and where the frames of a track do not rise.
    """
    top = _parse(file_of(root, "annotations", video))
    size = top.find("meta/task/original_size")
    if size is None:
        raise Fault("no meta/task/original_size")
    wide, high = (_number(size.findtext(key), key) for key in ("width", "height"))
    tracks = {}
    for track in top.iterfind("track"):
        if track.get("label") == "pedestrian":
            name, made = _track(track, np.array([wide, high, wide, high]))
            if name in tracks:
                raise Fault(f"pedestrian {name} has two tracks")
            tracks[name] = made
    place = {key: (top.findtext(f"meta/task/video_attributes/{key}") or "").strip() for key in PLACE}
    return Video(place, tracks)


def read_labels(root: Path, video: str) -> dict[str, Label]:
    """annotations_attributes/: the label of each pedestrian.

    The file's other columns (motion_direction, signalized, …) were annotated in hindsight and are not handed on.
    """
    top = _parse(file_of(root, "annotations_attributes", video))
    found = {}
    for person in top.iter("pedestrian"):
        crosses, point = (int(_number(person.get(key), key)) for key in ("crossing", "crossing_point"))
        found[person.get("id", "")] = Label(crosses == 1, point, person.get("age", ""), person.get("gender", ""))
    return found


def read_appearance(root: Path, video: str) -> dict[str, dict[int, dict[str, str]]]:
    """annotations_appearance/: pedestrian → frame → {tag: "0" or "1"}, tags as in TAGS."""
    top = _parse(file_of(root, "annotations_appearance", video))
    return {
        track.get("id", ""): {int(_number(box.get("frame"), "frame")): box.attrib for box in track.iterfind("box")}
        for track in top.iterfind("track")
    }


def read_traffic(root: Path, video: str) -> tuple[str, dict[int, dict[str, str]]]:
    """annotations_traffic/: the road's type, and frame → {sign: value}, signs as in SIGNS."""
    top = _parse(file_of(root, "annotations_traffic", video))
    signs = {int(_number(f.get("id"), "id")): f.attrib for f in top.iterfind("frame")}
    return (top.findtext("road_type") or "").strip(), signs


def read_ego(root: Path, video: str) -> dict[int, str]:
    """annotations_vehicle/: frame → what the ego vehicle does, as the annotators saw it."""
    top = _parse(file_of(root, "annotations_vehicle", video))
    return {int(_number(f.get("id"), "id")): f.get("action", "") for f in top.iterfind("frame")}


def _track(track: ET.Element, size: np.ndarray) -> tuple[str, Track]:
    elements = track.findall("box")
    names = {a.text for box in elements[:1] for a in box.iterfind("attribute") if a.get("name") == "id"}
    name = (names.pop() or "").strip() if names else ""
    if not name:
        raise Fault("a track labelled pedestrian has no box, or no id")
    frames = [_number(box.get("frame"), "frame") for box in elements]
    boxes = [[_number(box.get(key), key) for key in ("xtl", "ytl", "xbr", "ybr")] for box in elements]
    steps = np.diff(frames)
    if (steps <= 0).any():
        at = int(np.flatnonzero(steps <= 0)[0])
        raise Fault(f"pedestrian {name}: frame {frames[at + 1]:g} comes after frame {frames[at]:g}; frames must rise")
    return name, Track(np.array(frames, dtype=np.int64), np.array(boxes) / size, elements)


def _parse(path: Path) -> ET.Element:
    if not path.is_file():
        raise Fault("no such file")
    try:
        return ET.parse(path).getroot()
    except ET.ParseError as error:
        raise Fault(f"not readable as XML: {error}") from error


def _number(cell: str | None, what: str) -> float:
    try:
        value = float(cell or "")
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise Fault(f"{what}={cell!r} is not a number")
    return value
