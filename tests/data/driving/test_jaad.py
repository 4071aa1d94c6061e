"""JAAD: its layout, its windows, its leaks; agreement with the samples derived by others where they are at hand."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from crossfade.data.driving.jaad import OFFERS, Jaad, windows
from crossfade.data.driving.jaad_xml import TAGS
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

REPO = Path(__file__).parents[3]
REAL = Path(os.environ.get("CROSSFADE_DATA", REPO.parent / "shared" / "data")) / "jaad_behavior"
CONFIG = yaml.safe_load((REPO / "conf/task/driving/jaad.yaml").read_text(encoding="utf-8"))


def _spec(name: str, fields: dict[str, Any]) -> ModalitySpec:
    if fields.get("categorical") == "${.column}":
        fields = {**fields, "categorical": fields["column"]}
    return ModalitySpec(name=name, **fields)


MODALITIES = {name: _spec(name, fields) for name, fields in CONFIG["modality"].items()}
TARGETS = {name: TargetSpec(name=name, **fields) for name, fields in CONFIG["target"].items()}
HINDSIGHT = (
    "decision_point", "designated", "group_size", "intersection", "motion_direction", "num_lanes", "signalized",
    "traffic_direction",
)  # fmt: skip


def track(person: str, frames: list[int], looks_at: int | None = None, label: str = "pedestrian") -> str:
    """A track whose box moves right by 2 pixels a frame; the pedestrian looks from frame `looks_at` on."""
    boxes = ""
    for frame in frames:
        look = "looking" if looks_at is not None and frame >= looks_at else "not-looking"
        told = {"id": person, "occlusion": "none", "action": "walking", "look": look, "cross": "crossing"}
        told |= {"nod": "__undefined__", "hand_gesture": "__undefined__"}
        cells = "".join(f'<attribute name="{key}">{value}</attribute>' for key, value in told.items())
        boxes += f'<box frame="{frame}" xtl="{2 * frame}" ytl="10" xbr="{2 * frame + 20}" ybr="60">{cells}</box>'
    return f'<track label="{label}">{boxes}</track>'


def add(root: Path, video: str, tracks: str, people: dict[str, tuple[str, int]], frames: int = 200) -> None:
    """`people`: ID → crossing as the file writes it, crossing point."""
    texts = {
        "annotations": "<annotations><meta><task><original_size><width>200</width><height>100</height></original_size>"
        "<video_attributes><time_of_day>daytime</time_of_day><weather>rain</weather><location>n/a</location>"
        f"</video_attributes></task></meta>{tracks}</annotations>",
        "annotations_attributes": "<ped_attributes>"
        + "".join(
            f'<pedestrian id="{person}" crossing="{crossing}" crossing_point="{point}" age="adult" gender="n/a" '
            + " ".join(f'{column}="{"LAT" if crossing == "1" else "LONG"}"' for column in HINDSIGHT)
            + "/>"
            for person, (crossing, point) in people.items()
        )
        + "</ped_attributes>",
        "annotations_appearance": "<pedestrian_appearance>"
        + "".join(
            f'<track id="{person}">'
            + "".join(f'<box frame="{f}" hood="{int(f >= 100)}" cap="1"/>' for f in range(frames))
            + "</track>"
            for person in people
        )
        + "</pedestrian_appearance>",
        "annotations_traffic": "<traffic_scene><road_type>street</road_type>"
        + "".join(f'<frame id="{f}" ped_crossing="1" stop_sign="0" traffic_light="n/a"/>' for f in range(frames))
        + "</traffic_scene>",
        "annotations_vehicle": "<vehicle_info>"
        + "".join(f'<frame id="{f}" action="{"stopped" if f >= 80 else "moving_slow"}"/>' for f in range(frames))
        + "</vehicle_info>",
    }
    for folder, text in texts.items():
        (root / folder).mkdir(exist_ok=True)
        (root / folder / f"{video}{folder.removeprefix('annotations')}.xml").write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    whole = list(range(150))
    gap = [*range(20), *range(60, 140)]
    add(tmp_path, "video_0001", track("1b", whole, 86) + track("2b", whole[:45]), {"1b": ("1", 116), "2b": ("0", 40)})
    add(tmp_path, "video_0002", track("3b", whole) + track("x", whole, label="ped"), {"3b": ("-1", -1)})
    add(tmp_path, "video_0003", track("4b", gap), {"4b": ("0", 63)})
    for part, video in {"train": "video_0001", "val": "video_0002", "test": "video_0003"}.items():
        (tmp_path / "split_ids" / "default").mkdir(parents=True, exist_ok=True)
        (tmp_path / "split_ids" / "default" / f"{part}.txt").write_text(f"{video}\n")
    return tmp_path


def source(root: Path, **fields: Any) -> Jaad:
    return Jaad(MODALITIES, TARGETS, 0, root, **fields)


def test_windows_end_before_the_event(folder: Path) -> None:
    made = source(folder, split=None)
    last = {w.id: w.last for w in made.windows}
    assert last == {
        "1b_t30": 86, "1b_t45": 71, "1b_t60": 56,  # crossing point 116
        "3b_t30": 116, "3b_t45": 101, "3b_t60": 86,  # none: the track's end, 149, less 3
    }  # fmt: skip
    # 2b crosses at 40: 30 frames before, only 11 are seen. 4b's crossing point has 23 annotated frames before it
    frame = made.frame()
    assert list(frame.truth["crossing"]) == ["crossing"] * 3 + ["not crossing"] * 3
    assert list(frame.groups) == ["video_0001"] * 3 + ["video_0002"] * 3
    assert [w.id for w in windows(folder, [3])] == ["1b_t3", "2b_t3", "3b_t3", "4b_t3"]


def test_a_gap_is_stepped_over(folder: Path) -> None:
    made = {w.id: w for w in windows(folder, [5, 30])}
    assert made["4b_t5"].last == 18  # frame 63 is the 24th annotated one; five before it is frame 18
    np.testing.assert_allclose(made["4b_t5"].values["track"][:, 0] * 200, 2 * np.arange(3, 19), rtol=1e-6)


def test_values_are_those_of_the_window(folder: Path) -> None:
    value = source(folder).read(0)
    assert list(value) == list(MODALITIES)
    box = np.array([[2 * f / 200, 0.1, (2 * f + 20) / 200, 0.6] for f in range(71, 87)])
    np.testing.assert_allclose(value["track"], box, rtol=1e-6)
    assert [value["behaviour"][f"look_{i}"] for i in (0, 5, 10, 15)] == ["not-looking"] * 3 + ["looking"]
    assert [value["ego"][f"vehicle_action_{i}"] for i in (0, 5, 10, 15)] == ["moving_slow", "moving_slow"] + [
        "stopped"
    ] * 2
    wanted = {"road_type": "street", "ped_crossing": "1", "weather": "rain", "location": None, "traffic_light": None}
    assert wanted.items() <= value["scene"].items()
    assert (value["appearance"]["hood"], value["appearance"]["cap"]) == ("0", "1")
    assert source(folder).read(3)["appearance"]["hood"] == "1"  # frame 116


def test_nothing_after_the_window_is_read(folder: Path) -> None:
    before = source(folder).read(0)
    late = track("1b", list(range(87)), 86) + track("1b", list(range(87, 150)), 0).replace("walking", "standing")
    late = late.replace('</track><track label="pedestrian">', "")
    add(folder, "video_0001", late, {"1b": ("1", 116)}, frames=150)
    path = folder / "annotations_vehicle" / "video_0001_vehicle.xml"
    path.write_text(path.read_text().replace('id="87" action="stopped"', 'id="87" action="moving_fast"'))
    after = source(folder).read(0)
    np.testing.assert_array_equal(before.pop("track"), after.pop("track"))
    assert before == after


def test_no_column_of_hindsight_is_an_input(folder: Path) -> None:
    columns = {column for offer in OFFERS.values() for column in offer.columns}
    assert not columns & {*HINDSIGHT, "crossing", "crossing_point", "cross", "reaction"}
    assert not any(column.startswith("pedattr") for spec in MODALITIES.values() for column in spec.column or ())
    rows = [v for w in source(folder).windows for v in w.values.values() if isinstance(v, dict)]
    told = {cell for row in rows for cell in row.values()}
    assert "LAT" not in told
    assert "LONG" not in told
    asked = {"scene": MODALITIES["scene"].model_copy(update={"column": ["pedattr_signalized"]})}
    with pytest.raises(UserError, match=r"scene\.column: there is no pedattr_signalized.*There are: road_type"):
        Jaad(asked, TARGETS, 0, folder)


def test_a_missing_frame_of_appearance_is_absent(folder: Path) -> None:
    path = folder / "annotations_appearance" / "video_0001_appearance.xml"
    path.write_text(path.read_text().replace('frame="86"', 'frame="9086"'))
    made = source(folder)
    column = list(MODALITIES).index("appearance")
    assert list(made.frame().present[:, column]) == [False, True, True, True, True, True]
    assert "appearance" not in made.read(0)


def test_official_splits_and_folds(folder: Path) -> None:
    frame = source(folder).frame()
    assert (list(frame.split or []), frame.fold) == (["train"] * 3 + ["val"] * 3, None)
    (folder / "crossing_samples.csv").write_text("sample,fold\n1b_t30,2\n1b_t45,2\n3b_t30,0\n")
    assert list(source(folder).frame().fold or []) == [2, 2, -1, 0, -1, -1]
    other = folder / "other.csv"
    other.write_text("sample,fold\n1b_t30,1\n")
    assert list(source(folder, folds=other).frame().fold or []) == [1, -1, -1, -1, -1, -1]
    other.write_text("sample,fold\n1b_t30,\n9b_t30,1\n")
    with pytest.raises(UserError, match="gives a fold to none of the 6 samples"):
        source(folder, folds=other)
    other.write_text("sample\n1b_t30\n")
    with pytest.raises(UserError, match=r"other\.csv: columns missing: fold"):
        source(folder, folds=other)
    with pytest.raises(UserError, match=r'allowed are default, all_videos.*Did you mean "default"'):
        source(folder, split="defalt")
    with pytest.raises(UserError, match=r"official split is missing: .*all_videos(?s:.*)data\.source\.split=null"):
        source(folder, split="all_videos")


def test_another_layout_is_said_clearly(folder: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root is not given.*git clone"):
        Jaad(MODALITIES, TARGETS)
    (folder / "split_ids" / "annotations_xml.tar.xz").touch()
    with pytest.raises(UserError, match=r"no folder annotations/(?s:.*)Expected the layout of(?s:.*)tar xf '"):
        source(folder / "split_ids")
    with pytest.raises(UserError, match=r"before=\[0\]: whole numbers of frames, 1 or more"):
        source(folder, before=[0])


@pytest.mark.parametrize(
    ("part", "old", "new", "message"),
    [
        ("", "</annotations>", "", "video_0001.xml: not readable as XML"),
        ("", 'frame="7"', 'frame="5"', "pedestrian 1b: frame 5 comes after frame 6; frames must rise"),
        ("", 'frame="7"', 'frame="6"', "frame 6 comes after frame 6"),
        ("", 'xtl="14"', 'xtl="nan"', "xtl='nan' is not a number"),
        ("", "original_size", "size", "no meta/task/original_size"),
        ("_attributes", '"1b"', '"9b"', "video_0001_attributes.xml: pedestrian 1b is missing"),
        ("_attributes", '"116"', '"soon"', "crossing_point='soon' is not a number"),
        ("_vehicle", 'id="3"', 'id="?"', r"id='\?' is not a number"),
    ],
)
def test_damaged_files_are_named(folder: Path, part: str, old: str, new: str, message: str) -> None:
    path = folder / f"annotations{part}" / f"video_0001{part}.xml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=message):
        source(folder)
    assert set(source(folder, on_error="skip").frame().groups) == {"video_0002"}


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "annotations_traffic" / "video_0002_traffic.xml").unlink()
    with pytest.raises(UserError, match=r"video_0002_traffic\.xml: no such file"):
        source(folder)


needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data at {REAL}; name its parent in CROSSFADE_DATA")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """Every sixth video of the real set, unpacked, and the samples that others derived from it."""
    folder = tmp_path_factory.mktemp("jaad")
    with tarfile.open(REAL / "annotations_xml.tar.xz") as packed:
        some = [m for m in packed if m.isfile() and int(Path(m.name).name[6:10]) % 6 == 0]
        packed.extractall(folder, some, filter="data")
    (folder / "split_ids").symlink_to(REAL / "split_ids")
    table = pd.read_csv(REAL / "crossing_samples.csv", dtype=str, keep_default_na=False)
    return folder, table[table["video"].str[6:10].astype(int) % 6 == 0].set_index("sample")


@needs_real
def test_the_real_samples_are_those_that_others_derived(real: tuple[Path, pd.DataFrame]) -> None:
    folder, table = real
    made = source(folder, folds=REAL / "crossing_samples.csv")
    frame = made.frame()
    assert set(frame.ids) == set(table.index)
    assert len(frame.ids) > 150
    assert list(frame.fold or []) == [int(table["fold"][i]) for i in frame.ids]
    assert list(frame.split or []) == [table["split"][i] for i in frame.ids]
    assert list(frame.groups) == [table["video"][i] for i in frame.ids]
    for w in made.windows:
        row, value = table.loc[w.id], w.values
        assert (w.last, w.crossing == "crossing") == (int(row["last_obs_frame"]), row["crossing"] == "1")
        box = [[float(row[f"{edge}_{i}"]) for edge in ("x1", "y1", "x2", "y2")] for i in range(16)]
        np.testing.assert_allclose(value["track"], box, atol=6e-6)  # the table has five digits
        for what in ("occlusion", "action", "look"):
            assert " ".join(value["behaviour"][f"{what}_{i}"] for i in (0, 5, 10, 15)) == row[what]
        assert " ".join(value["ego"][f"vehicle_action_{i}"] for i in (0, 5, 10, 15)) == row["vehicle_action"]
        for what in ("nod", "hand_gesture"):
            assert value["behaviour"][what] == row[what]
        for what in OFFERS["scene"].columns:
            assert (value["scene"][what] or "n/a") == row[what]
        assert " ".join(sorted(tag for tag in TAGS if value["appearance"][tag] == "1")) == row["appearance"]
        assert (value["appearance"]["age"], value["appearance"]["gender"] or "n/a") == (row["age"], row["gender"])
