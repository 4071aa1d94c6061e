"""JAAD: will this pedestrian cross in front of the car? From annotations of what could be seen by then.

A. Rasouli, I. Kotseruba, J. K. Tsotsos: Are They Going to Cross? A Benchmark Dataset and Baseline for Pedestrian
Crosswalk Behavior, ICCV Workshops 2017. Get it with

    git clone https://github.com/ykotseruba/JAAD

Licence: MIT (the annotations; the videos are a download of their own and are not needed). Layout of JAAD 2.0:
annotations/, annotations_appearance/, annotations_attributes/, annotations_traffic/, annotations_vehicle/, split_ids/.

A sample is a window of 16 annotated frames (30 a second) that ends 30, 45 or 60 annotated frames before the event: the
frame `crossing_point` where it is given, else the fourth from the end of the track. The tracks with a gap in their
annotations (12 of 686) count over it, so their event may lie further away than the name says.

What this module does against the leaks of this set:
- the columns of annotations_attributes/ were filled in with hindsight (the direction of motion alone tells who
  crosses): they are no input. It gives the label, and on request age and gender, which can be seen;
- nothing after the window's last frame is read into an input;
- all samples of a video are one group: its pedestrians cross together.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.data.driving.jaad_xml import (
    BEHAVIOUR,
    FOLDERS,
    PLACE,
    SIGNS,
    TAGS,
    Label,
    Track,
    file_of,
    read_appearance,
    read_ego,
    read_labels,
    read_traffic,
    read_video,
)
from crossfade.data.driving.public import Offer, PublicSource, check_offers, check_policy, folder_given, left_out
from crossfade.data.readers import Fault
from crossfade.data.readers.cells import number, text
from crossfade.data.readers.tables import TableFault, read_table
from crossfade.data.source import Frame
from crossfade.errors import UserError, did_you_mean
from crossfade.specs import ModalitySpec, TargetSpec

SITE = "https://github.com/ykotseruba/JAAD"
HOW = f"Get it with: git clone {SITE}"
CROSSING = ("not crossing", "crossing")
OBSERVED = 16  # frames of a window, 30 a second
SEEN = (0, 5, 10, 15)  # the frames of the window whose behaviour and ego action are told
TAIL = 3  # frames left out at the end of a track without a crossing point
FOLDS = "crossing_samples.csv"
LISTS = ("default", "all_videos", "high_visibility")

OFFERS = {
    "track": Offer("series"),
    "behaviour": Offer("table", (*(f"{what}_{i}" for what in BEHAVIOUR[:3] for i in SEEN), *BEHAVIOUR[3:])),
    "ego": Offer("table", tuple(f"vehicle_action_{i}" for i in SEEN)),
    "scene": Offer("table", ("road_type", *SIGNS, *PLACE)),
    "appearance": Offer("table", (*TAGS, "age", "gender")),
}


@dataclass(frozen=True)
class Window:
    """One sample: 16 frames of a pedestrian, and what was seen in them."""

    id: str
    video: str
    crossing: str
    last: int  # number of the last frame that is observed
    values: dict[str, Any]  # modality → raw value


class Jaad(PublicSource):
    """The published folder as samples. Target: `crossing` (not crossing, crossing).

    Modalities: `track`, series (16, 4) at 30 Hz, the box's x1, y1, x2, y2 as shares of the image's width and height;
    tables `behaviour` and `ego` at frames 0, 5, 10, 15 of the window, `scene` and `appearance` at its last frame.
    `split`: default, all_videos or high_visibility, the official lists in split_ids/, or null for none.
    `folds`: a table with the columns `sample` and `fold`; null: crossing_samples.csv in the folder, where it is.
    `before`: frames between the window's end and the event. `on_error`: skip leaves out videos that cannot be read.
    Raises UserError saying what of the layout is missing, and every damaged file.
    """

    name = "JAAD"

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int = 0,
        root: str | Path | None = None,
        split: str | None = "default",
        folds: str | Path | None = None,
        before: Sequence[int] = (30, 45, 60),
        on_error: str = "error",
    ) -> None:
        folder = folder_given(root, HOW)
        check_policy(on_error)
        check_offers(self.name, modalities, targets, OFFERS, {"crossing": ("multiclass",)})
        self.windows = windows(folder, before, on_error)
        official = None if split is None else _official(folder, split)
        fold = _folds(folder, folds)
        if fold is not None and not any(fold.get(w.id, -1) >= 0 for w in self.windows):
            raise UserError(
                f"data.source.folds={folds or FOLDS}: it gives a fold to none of the {len(self.windows)} samples. Its "
                f"column `sample` holds names such as {self.windows[0].id}."
            )
        present = [[w.values.get(name) is not None for name in modalities] for w in self.windows]
        frame = Frame(
            ids=[w.id for w in self.windows],
            groups=[w.video for w in self.windows],
            present=np.array(present, dtype=bool).reshape(len(self.windows), len(modalities)),
            truth={name: [w.crossing for w in self.windows] for name in targets},
            split=None if official is None else [official.get(w.video, "") for w in self.windows],
            fold=None if fold is None else [fold.get(w.id, -1) for w in self.windows],
        )
        files = [file_of(folder, part, video) for video in _videos(folder) for part in FOLDERS]
        super().__init__(modalities, frame, files, [split, fold, list(before)])

    def value(self, index: int, modality: str) -> Any | None:
        return self.windows[index].values.get(modality)


def windows(root: Path, before: Sequence[int] = (30, 45, 60), on_error: str = "error") -> list[Window]:
    """All samples, by video, pedestrian and distance to the event; kept until the files change.

    Reading the full set takes some ten seconds, and a cross-validation asks for it once per fold.
    """
    if not before or any(b != int(b) or b < 1 for b in before):
        raise UserError(
            f"data.source.before={list(before)}: whole numbers of frames, 1 or more, for example [30,45,60]."
        )
    _check_layout(root)
    states = (file.stat() for folder in FOLDERS for file in sorted((root / folder).glob("*.xml")))
    stamp = hash(tuple((state.st_size, state.st_mtime_ns) for state in states))
    return list(_windows(root.resolve(), tuple(before), on_error, stamp))


@functools.lru_cache(maxsize=1)
def _windows(root: Path, before: tuple[int, ...], on_error: str, stamp: int) -> list[Window]:
    found, faults = [], []
    for video in _videos(root):
        try:
            found += _of_video(root, video, before)
        except Fault as fault:
            faults.append(str(fault))
    left_out("JAAD", faults, on_error, "video")
    if len(found) < 2:
        raise UserError(f"data.root={root}: {len(found)} samples. No pedestrian is annotated for long enough.")
    return found


def _check_layout(root: Path) -> None:
    missing = [name for name in FOLDERS if not (root / name).is_dir()]
    if not missing:
        return
    packed = sorted(root.glob("annotations*.tar*"))
    hint = f" They are packed: tar xf '{packed[0]}' -C FOLDER, then data.root=FOLDER." if packed else ""
    raise UserError(
        *(f"data.root={root}: no folder {name}/." for name in missing),
        f"Expected the layout of {SITE} (JAAD 2.0): {', '.join(f'{name}/' for name in FOLDERS)}.{hint}",
    )


def _videos(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / "annotations").glob("*.xml"))


def _of_video(root: Path, video: str, before: Sequence[int]) -> list[Window]:
    def of(folder: str, read: Any) -> Any:
        try:
            return read(root, video)
        except Fault as fault:
            raise Fault(f"{file_of(root, folder, video)}: {fault}.") from fault

    main = of("annotations", read_video)
    spans = {}
    labels = of("annotations_attributes", read_labels) if main.tracks else {}
    for person, track in main.tracks.items():
        if person not in labels:
            raise Fault(f"{file_of(root, 'annotations_attributes', video)}: pedestrian {person} is missing.")
        spans[person] = _ends(track, labels[person].point, before)
    if not any(spans.values()):
        return []
    looks = of("annotations_appearance", read_appearance)
    road, signs = of("annotations_traffic", read_traffic)
    actions = of("annotations_vehicle", read_ego)
    found = []
    for person, ends in spans.items():
        track, label = main.tracks[person], labels[person]
        for distance, end in ends.items():
            seen = [end - OBSERVED + 1 + i for i in SEEN]
            numbers = track.frames[seen].tolist()
            acts = [track.behaviour(s) for s in seen]
            told = {f"{what}_{i}": act[what] for what in BEHAVIOUR[:3] for i, act in zip(SEEN, acts, strict=True)}
            told |= {what: acts[-1][what] for what in BEHAVIOUR[3:]}
            last = numbers[-1]
            values = {
                "track": track.boxes[end - OBSERVED + 1 : end + 1].astype(np.float32),
                "behaviour": told,
                "ego": {f"vehicle_action_{i}": actions.get(f, "") for i, f in zip(SEEN, numbers, strict=True)},
                "scene": {"road_type": road} | _some(signs.get(last, {}), SIGNS) | main.place,
                "appearance": _appearance(looks.get(person, {}).get(last), label),
            }
            crosses = CROSSING[label.crosses]
            cells = {name: _cells(value) if isinstance(value, dict) else value for name, value in values.items()}
            found.append(Window(f"{person}_t{distance}", video, crosses, last, cells))
    return found


def _ends(track: Track, point: int, before: Sequence[int]) -> dict[int, int]:
    """Distance to the event → place in the track of the window's last frame, where the window fits."""
    at = np.flatnonzero(track.frames == point)
    event = int(at[0]) if len(at) else len(track.frames) - 1 - TAIL
    return {b: event - b for b in before if event - b - OBSERVED + 1 >= 0}


def _appearance(tags: dict[str, str] | None, label: Label) -> dict[str, str] | None:
    return None if tags is None else {**_some(tags, TAGS), "age": label.age, "gender": label.gender}


def _some(told: dict[str, str], keys: Sequence[str]) -> dict[str, str]:
    return {key: told.get(key, "") for key in keys}


def _cells(row: dict[str, str]) -> dict[str, str | None]:
    """A table's row; "n/a" and blanks are missing entries."""
    return {key: None if cell.strip().lower() in ("", "n/a") else cell for key, cell in row.items()}


def _official(root: Path, split: str) -> dict[str, str]:
    if split not in LISTS:
        raise UserError(f"data.source.split={split}: allowed are {', '.join(LISTS)}, null.{did_you_mean(split, LISTS)}")
    folder = root / "split_ids" / split
    files = {part: folder / f"{part}.txt" for part in ("train", "val", "test")}
    missing = [str(file) for file in files.values() if not file.is_file()]
    if missing:
        raise UserError(
            f"The official split is missing: {', '.join(missing)}. Put the folder split_ids/ of {SITE} there, or do "
            "without: data.source.split=null."
        )
    listed = {part: file.read_text(encoding="utf-8").split() for part, file in files.items()}
    return {video: part for part, videos in listed.items() for video in videos}


def _folds(root: Path, given: str | Path | None) -> dict[str, int] | None:
    path = root / FOLDS if given is None else Path(given).expanduser()
    if not path.is_file():
        if given is not None:
            raise UserError(f"data.source.folds={given}: no such file.")
        return None
    try:
        table = read_table(path)
        missing = [column for column in ("sample", "fold") if column not in table]
        if missing:
            raise UserError(f"{path}: columns missing: {', '.join(missing)}. It gives each sample its fold.")
        cells = [
            (text(sample).strip(), number(fold)) for sample, fold in zip(table["sample"], table["fold"], strict=True)
        ]
    except (TableFault, ValueError) as fault:
        raise UserError(f"{path}: {fault}.") from fault
    return {sample: -1 if fold is None else int(fold) for sample, fold in cells}
