"""The public room climate set: its layout, its windows, and those of the reference where the real one is at hand."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from crossfade.data.smart_home import room_climate
from crossfade.data.smart_home.node_series import STATISTICS, statistics
from crossfade.data.smart_home.room_climate import COLUMNS, QUANTITIES, RoomClimate
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

REPO = Path(__file__).parents[3]
REAL = Path(os.environ.get("CROSSFADE_DATA", REPO.parent / "shared" / "data")) / "room_climate"
CONFIG = yaml.safe_load((REPO / "conf/task/smart_home/room_climate.yaml").read_text(encoding="utf-8"))
MODALITIES = {name: ModalitySpec(name=name, **fields) for name, fields in CONFIG["modality"].items()}
TARGETS = {name: TargetSpec(name=name, **fields) for name, fields in CONFIG["target"].items()}


def session(seconds: int, nodes: tuple[int, ...], people: np.ndarray, activity: np.ndarray) -> pd.DataFrame:
    """A row per node every 4 s; Temp is the node's number + time in minutes, RelH constant, L1 grows as the square."""
    time = np.repeat(np.arange(0, seconds, 4), len(nodes))
    node = np.tile(nodes, len(time) // len(nodes))
    table = pd.DataFrame({"EID": np.arange(len(time)), "AbsT": 1000 * time, "RelT": time, "NID": node})
    table["Temp"], table["RelH"] = node + time / 60, 40.0 + node
    table["L1"], table["L2"] = time**2 / 3600, 7.0
    table["Occ"], table["Act"] = people[time // 120], activity[time // 120]
    table["Door"] = table["Win"] = 0
    return table[list(COLUMNS)]


def save(root: Path, room: str, number: int, table: pd.DataFrame) -> Path:
    folder = root / f"datasets-location_{room}"
    folder.mkdir(exist_ok=True)
    path = folder / f"room_climate-location_{room}-measurement{number:02d}.csv"
    path.write_text(
        "\n".join(", ".join(str(v) for v in row) for row in table.itertuples(index=False)), encoding="utf-8"
    )
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path, "A", 1, session(360, (1, 2), np.array([0, 1, 2]), np.array([0, 1, 3])))
    save(tmp_path, "A", 2, session(240, (1, 2), np.array([0, 1]), np.array([0, 4])))
    save(tmp_path, "B", 1, session(240, (1, 2, 3), np.array([1, 0]), np.array([2, 0])))
    return tmp_path


def source(root: Path, *targets: str, modalities: dict[str, ModalitySpec] = MODALITIES, **fields: Any) -> RoomClimate:
    return RoomClimate(modalities, {name: TARGETS[name] for name in targets or TARGETS}, 0, root, **fields)


def test_windows_become_samples_with_their_labels(folder: Path) -> None:
    frame = source(folder).frame()
    a = "room_climate-location_A-measurement01"
    assert list(frame.ids)[:3] == [f"{a}/000", f"{a}/001", f"{a}/002"]
    assert list(frame.groups)[:3] == [a, a, a]
    assert list(frame.truth["occupied"]) == ["no", "yes", "yes", "no", "yes", "yes", "no"]
    assert list(frame.truth["occupants"]) == ["0", "1", "2", "0", "1", "1", "0"]
    assert list(frame.truth["activity"]) == ["none", "read", "walk", "none", "work", "stand", "none"]
    assert frame.present.all()
    assert (frame.split, frame.fold) == (None, None)


def test_a_window_of_few_rows_or_of_two_labels_does_not_count(folder: Path) -> None:
    table = session(480, (1, 2), np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]))
    table.loc[table.index[(table["RelT"] >= 120) & (table["RelT"] < 132)], "Act"] = 2  # a tenth
    table.loc[table.index[(table["RelT"] >= 240) & (table["RelT"] < 256)], "Act"] = 2  # more than a tenth
    save(folder, "C", 1, table[~((table["RelT"] >= 360) & (table["EID"] % 8 == 0))])
    frame = source(folder).frame()
    assert [i[-3:] for i, g in zip(frame.ids, frame.groups, strict=True) if "location_C" in g] == ["000", "001"]


def test_series_are_on_a_grid_with_a_channel_per_node(folder: Path) -> None:
    made = source(folder)
    values = made.read(1)  # seconds 120 to 240 of the first session
    assert values["temperature"].shape == (30, 3)  # 0.25 Hz, nodes 1 to 3
    np.testing.assert_allclose(values["temperature"][:, 1], 2 + np.arange(120, 240, 4) / 60, rtol=1e-6)
    assert np.isnan(values["temperature"][:, 2]).all()  # room A has no node 3
    assert values["light"].shape == (30, 6)
    np.testing.assert_allclose(values["light"][:, 0], np.arange(120, 240, 4) ** 2 / 3600, rtol=1e-6)
    np.testing.assert_array_equal(values["light"][:, 3], np.full(30, 7, np.float32))
    assert not np.isnan(made.read(5)["humidity"]).any()
    assert set(made.read(0, without={"light", "temperature"})) == set(MODALITIES) - {"light", "temperature"}


def test_statistics_are_those_of_the_formulas(folder: Path) -> None:
    table = source(folder).read(2)["temperature_statistics"]  # seconds 240 to 360: v_k = k + t/60
    middle = (240 + 356) / 2 / 60
    expected = {"mean": 1.5 + middle, "low": 1 + middle, "high": 2 + middle, "slope": 1.0, "slope_max": 1.0}
    expected |= {
        "start": middle - 28 / 60,
        "start_max": middle - 28 / 60,
        "back_2": 2.0,
        "back_10_min": middle - 28 / 60,
    }
    expected |= {"sd": np.arange(0, 120, 4).std() / 60}
    for name, value in expected.items():
        assert table[f"Temp_{name}"] == pytest.approx(value), name
    assert source(folder).read(2)["humidity_statistics"]["RelH_back_4"] == 0.0


def test_statistics_equal_an_independent_computation() -> None:
    rng = np.random.default_rng(0)
    table = session(1200, (1, 4, 5), np.zeros(10, int), np.zeros(10, int))
    table["RelH"] += rng.normal(size=len(table)).cumsum() * 0.01 + 40
    table = table[rng.random(len(table)) > 0.2].reset_index(drop=True)
    table = table[~((table["NID"] == 5) & (table["RelT"] < 500))].reset_index(drop=True)  # it came later
    starts = np.searchsorted(table["RelT"], [0, 600, 840])
    stops = np.searchsorted(table["RelT"], [120, 720, 960])
    found = statistics(table, starts, stops, "RelH")
    assert tuple(found) == STATISTICS
    for w, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        rows, first = table.iloc[start:stop], table[table["RelT"] < 60].groupby("NID")["RelH"].mean()
        nodes = {k: part for k, part in rows.groupby("NID")}
        slopes = [np.polyfit(p["RelT"] / 60, p["RelH"], 1)[0] for p in nodes.values()]
        means = rows.groupby("NID")["RelH"].mean()
        assert found["slope_min"][w] == pytest.approx(min(slopes), abs=1e-8)
        assert found["sd"][w] == pytest.approx(np.mean([p["RelH"].std(ddof=0) for p in nodes.values()]), abs=1e-8)
        assert found["low"][w] == pytest.approx(means.min())
        assert found["start_max"][w] == pytest.approx((means - first).max())
        shifted = table[(table["RelT"] >= rows["RelT"].iloc[0] - 240) & (table["RelT"] <= rows["RelT"].iloc[-1] - 240)]
        before = shifted.groupby("NID")["RelH"].mean() if w else first
        assert found["back_4"][w] == pytest.approx((means - before).mean())


def test_nothing_looks_ahead(folder: Path) -> None:
    path = folder / "datasets-location_A" / "room_climate-location_A-measurement01.csv"
    before = [source(folder).read(i) for i in (0, 1)]
    table = session(360, (1, 2), np.array([0, 1, 2]), np.array([0, 1, 3]))
    table.loc[table["RelT"] >= 240, ["Temp", "RelH", "L1", "L2"]] = 99.0
    save(folder, "A", 1, table)
    os.utime(path, (1, 1))
    room_climate._session.cache_clear()
    room_climate._streams.cache_clear()
    after = source(folder)
    for i, old in enumerate(before):
        for name, value in after.read(i).items():
            if isinstance(value, dict):
                assert value == old[name]
            else:
                np.testing.assert_array_equal(value, old[name])
    assert after.read(2)["temperature_statistics"]["Temp_mean"] == 99.0


def test_folds_by_room_or_as_the_reference_has_them(folder: Path) -> None:
    rooms = source(folder, folds="room").frame()
    assert list(rooms.fold or []) == [0] * 5 + [1] * 2
    assert set(rooms.groups) == {"A", "B"}
    names = [f"room_climate-location_{n}" for n in ("A-measurement01", "A-measurement02", "B-measurement01")]
    pd.DataFrame({"measurement": names, "fold": [1, 0, 1]}).to_csv(folder / "windows_2min.csv", index=False)
    assert list(source(folder).frame().fold or []) == [1, 1, 1, 0, 0, 1, 1]
    pd.DataFrame({"measurement": names}).to_csv(folder / "windows_2min.csv", index=False)
    with pytest.raises(UserError, match=r"windows_2min\.csv: columns missing: fold"):
        source(folder)


def test_another_layout_is_said_clearly(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root is not given.*git clone"):
        RoomClimate(MODALITIES, TARGETS)
    with pytest.raises(UserError, match='data.source.folds=rooms: allowed are measurement, room. Did you mean "room"'):
        source(folder, folds="rooms")
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "datasets_raw.tar.xz").write_bytes(b"")
    with pytest.raises(
        UserError, match=r"no file datasets-location(?s:.*)Unpack it first: tar -xf datasets_raw\.tar\.xz"
    ):
        source(tmp_path / "packed")
    path = folder / "datasets-location_A" / "room_climate-location_A-measurement03.csv"
    path.write_text("1, 2, 3\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"measurement03\.csv: has 3 columns, expected 12: EID, AbsT"):
        source(folder)
    path.write_text(",".join(COLUMNS) + "\n" + ",".join("1" * 12) + "\n", encoding="utf-8")
    os.utime(path, (2, 2))
    room_climate._session.cache_clear()
    with pytest.raises(UserError, match=r"column EID, line 1: 'EID' is no number.*without a header"):
        source(folder)
    save(folder, "A", 3, session(240, (1,), np.array([0, 5]), np.array([0, 0])))
    room_climate._session.cache_clear()
    with pytest.raises(UserError, match="column Occ holds 5, expected 0 to 2"):
        source(folder)


def test_unknown_quantities_and_targets_are_refused(folder: Path) -> None:
    wrong = {"t": ModalitySpec(name="t", kind="table", column=["Temp_sdd"])}
    with pytest.raises(UserError, match=r'modality\.t\.column: "Temp_sdd".*Did you mean "Temp_sd"'):
        source(folder, modalities=wrong)
    with pytest.raises(UserError, match=r"modality\.t\.rate is not given"):
        source(folder, modalities={"t": ModalitySpec(name="t", kind="series", column="Temp")})
    target = {"x": TargetSpec(name="x", kind="multiclass", column="activty")}
    with pytest.raises(UserError, match='allowed are occupied, occupants, activity. Did you mean "activity"'):
        RoomClimate(MODALITIES, target, 0, folder)


def test_the_fingerprint_follows_files_folds_and_modalities(folder: Path) -> None:
    before = source(folder).fingerprint()
    assert before == source(folder).fingerprint()
    assert before != source(folder, folds="room").fingerprint()
    assert before != source(folder, modalities={"light": MODALITIES["light"]}).fingerprint()
    os.utime(folder / "datasets-location_B" / "room_climate-location_B-measurement01.csv", (1, 1))
    assert before != source(folder).fingerprint()


needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data at {REAL}; name its parent in CROSSFADE_DATA")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("room_climate")
    with tarfile.open(REAL / "datasets_raw.tar.xz") as packed:
        packed.extractall(root, filter="data")
    (root / "windows_2min.csv").write_bytes((REAL / "windows_2min.csv").read_bytes())
    return root


@needs_real
def test_the_real_windows_are_those_of_the_reference(real: Path) -> None:
    made = source(real)
    table = made.windows.assign(fold=made.frame().fold)
    both = table.merge(
        pd.read_csv(real / "windows_2min.csv"), on=["measurement", "window"], how="outer", indicator=True
    )
    assert len(both) == 4234
    assert (both["_merge"] == "both").all()
    assert (both["stop"] - both["start"] == both["n"]).all()
    assert (both["occupants"].astype(int) == both["occ"]).all()
    assert (both["activity"] == both["act"].map(dict(enumerate(("none", "read", "stand", "walk", "work"))))).all()
    assert (both["fold_x"] == both["fold_y"]).all()
    for i in range(0, len(table), 97):
        values, reference = made.read(i), both[both["id"] == table["id"][i]].iloc[0]
        assert values["temperature"].shape == (30, 5)
        for quantity in QUANTITIES[:2]:
            name = {"Temp": "temperature", "RelH": "humidity"}[quantity]
            found = values[f"{name}_statistics"]
            assert found[f"{quantity}_mean"] == pytest.approx(reference[f"{quantity}_mean"], rel=1e-4)
            assert found[f"{quantity}_slope"] == pytest.approx(reference[f"{quantity}_slope"], abs=1e-5)
