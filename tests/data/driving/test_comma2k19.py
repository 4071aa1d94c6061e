"""comma2k19: its layout, streams of several rates on one axis, and the real minute where it is at hand."""

from __future__ import annotations

import os
import pickle
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from crossfade.data.align import interpolate, window
from crossfade.data.driving.comma2k19 import Comma2k19
from crossfade.data.driving.comma2k19_files import read_gnss, read_stream
from crossfade.errors import ReadError, UserError
from crossfade.specs import ModalitySpec, TargetSpec

REPO = Path(__file__).parents[3]
REAL = Path(os.environ.get("CROSSFADE_DATA", REPO.parent / "shared" / "data")) / "comma2k19_example"
CONFIG = yaml.safe_load((REPO / "conf/task/driving/comma2k19.yaml").read_text(encoding="utf-8"))
MODALITIES = {name: ModalitySpec(name=name, **fields) for name, fields in CONFIG["modality"].items()}
TARGETS = {name: TargetSpec(name=name, **fields) for name, fields in CONFIG["target"].items()}
START = 1000.0  # s on the device's clock


def speed_at(time: np.ndarray) -> np.ndarray:
    """m/s: constant, then up by 1 m/s² from 15 s on, then down by 2 m/s² from 25 s on."""
    t = np.asarray(time) - START
    return 10 + np.clip(t - 15, 0, 10) - 2 * np.clip(t - 25, 0, None)


def save(folder: Path, time: Any, value: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in (("t", time), ("value", value)):
        with open(folder / name, "wb") as file:  # np.save would put .npy behind the name
            np.save(file, np.asarray(array, dtype=np.float64))


def make(root: Path, route: str = "a|2018", number: int = 3) -> Path:
    """A segment of 30 s."""
    segment = root / "Chunk_1" / route / str(number)
    log = segment / "processed_log"
    can = START + np.arange(0, 30, 1 / 90)
    save(log / "CAN" / "speed", can, speed_at(can)[:, None])
    save(log / "CAN" / "steering_angle", can, np.full(len(can), -3.0))
    save(log / "CAN" / "wheel_speed", can, np.stack([speed_at(can) + i for i in range(4)], 1))
    imu = START + np.arange(0, 30, 1 / 100)
    save(log / "IMU" / "accelerometer", imu, np.stack([imu - START, 0 * imu, 0 * imu - 9.8], 1))
    save(log / "IMU" / "gyro", imu, np.zeros((len(imu), 3)))
    sweeps = START + np.arange(0, 30, 1 / 20)
    objects = [[20, 3, -1, np.nan, np.nan, 1, 0], [40, -1, -2, np.nan, np.nan, 2, 0], [60, 1, -3, np.nan, np.nan, 3, 0]]
    save(log / "CAN" / "radar", np.repeat(sweeps, 3), np.tile(objects, (len(sweeps), 1)))
    gnss = START + np.arange(0, 30, 1 / 10)
    fix = np.stack([0 * gnss, 0 * gnss, speed_at(gnss), 0 * gnss, 0 * gnss, 0 * gnss + 90], 1)
    save(log / "GNSS" / "live_gnss_ublox", gnss, fix)
    frames = START + np.arange(0, 30, 1 / 20)
    (segment / "global_pose").mkdir()
    np.save(segment / "global_pose" / "a.npy", frames)
    (segment / "global_pose" / "a.npy").rename(segment / "global_pose" / "frame_times")
    np.save(segment / "global_pose" / "b.npy", np.stack([0 * frames + 2012, frames + 404000], 1))
    (segment / "global_pose" / "b.npy").rename(segment / "global_pose" / "frame_gps_times")
    return segment


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    return make(tmp_path)


def source(segment: Path, *targets: str, **fields: Any) -> Comma2k19:
    used = {name: TARGETS[name] for name in targets or ("speed_change",)}
    return Comma2k19(MODALITIES, used, 0, segment.parents[2], **fields)


def test_samples_tell_the_change_of_the_speed(segment: Path) -> None:
    frame = source(segment, "speed_change", "manoeuvre").frame()
    moments = np.array([float(i.rpartition("/")[2]) for i in frame.ids])
    np.testing.assert_allclose(moments - START, np.concatenate([b + np.arange(4, 8.1, 0.5) for b in (0, 10, 20)]))
    wanted = speed_at(moments + 2) - speed_at(moments)
    np.testing.assert_allclose(frame.truth["speed_change"], wanted, atol=2 / 90 * 2)
    named = np.where(wanted >= 0.5, "speed up", np.where(wanted <= -0.5, "slow down", "keep"))
    clear = np.abs(np.abs(wanted) - 0.5) > 0.1
    assert list(np.array(frame.truth["manoeuvre"])[clear]) == list(named[clear])
    assert set(named[clear]) == {"speed up", "slow down", "keep"}


def test_no_measurement_is_in_two_groups(segment: Path) -> None:
    made = source(segment)
    frame = made.frame()
    assert sorted(set(frame.groups)) == ["a|2018/3/0", "a|2018/3/1", "a|2018/3/2"]
    for (_, moment), group in zip(made.places, frame.groups, strict=True):
        block = START + 10 * int(group.rpartition("/")[2])
        assert block <= moment - 4
        assert moment + 2 <= block + 10 + 1e-9
    make(segment.parents[2], "b|2019", 0)
    assert set(source(segment, group="route").frame().groups) == {"a|2018", "b|2019"}
    assert set(source(segment, group="segment").frame().groups) == {"a|2018/3", "b|2019/0"}


def test_streams_of_all_rates_come_onto_one_axis(segment: Path) -> None:
    made = source(segment)
    index = list(made.frame().ids).index("a|2018/3/1016.00")
    value = made.read(index)
    assert {name: series.shape for name, series in value.items()} == {
        "can": (80, 6), "imu": (80, 6), "radar": (80, 3), "gnss": (80, 3),
    }  # fmt: skip
    at = 1016 - np.arange(79, -1, -1) / 20
    np.testing.assert_allclose(value["can"][:, 0], speed_at(np.floor((at - START) * 90 + 1e-6) / 90 + START), atol=1e-5)
    np.testing.assert_allclose(value["can"][:, 2:], value["can"][:, :1] + np.arange(4), atol=1e-5)
    assert (value["can"][:, 1] == -3).all()
    # 5 stamps, 10 ms apart, the last at the moment itself
    np.testing.assert_allclose(value["imu"][:, 0], at - START - 0.02, atol=1e-4)
    # the object at 20 m is 3 m to the left, so not in lane
    np.testing.assert_array_equal(value["radar"], np.tile(np.float32([40, -2, 2]), (80, 1)))
    np.testing.assert_allclose(value["gnss"][:, 1:], np.tile([1, 0], (80, 1)), atol=1e-6)


def test_nothing_after_the_moment_is_seen(segment: Path) -> None:
    before = source(segment).read(0)
    for part in ("CAN/speed", "CAN/wheel_speed", "IMU/gyro", "GNSS/live_gnss_ublox", "CAN/radar"):
        folder = segment / "processed_log" / part
        time, value = np.load(folder / "t"), np.load(folder / "value")
        value[time > START + 4] = 77
        save(folder, time, value)
    after = source(segment).read(0)
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])


def test_gaps_are_missing_entries_and_missing_streams_absent(segment: Path) -> None:
    radar = segment / "processed_log" / "CAN" / "radar"
    time, value = np.load(radar / "t"), np.load(radar / "value")
    keep = (time < START + 2) | (time > START + 12)
    save(radar, time[keep], value[keep])
    shutil.rmtree(segment / "processed_log" / "GNSS")
    made = source(segment)
    assert made.frame().present[:, 3].sum() == 0
    value = made.read(0)
    assert "gnss" not in value
    at = START + 4 - np.arange(79, -1, -1) / 20
    np.testing.assert_array_equal(np.isnan(value["radar"][:, 0]), at > START + 1.95 + 0.25 + 1e-6)
    assert "radar" not in made.read(8)  # 4 s to 8 s: nothing at all
    save(radar, [], np.zeros((0, 7)))
    assert "radar" not in source(segment).read(0)


def test_an_empty_lane_is_known(segment: Path) -> None:
    radar = segment / "processed_log" / "CAN" / "radar"
    value = np.load(radar / "value")
    value[:, 1] = 5
    save(radar, np.load(radar / "t"), value)
    np.testing.assert_array_equal(source(segment).read(0)["radar"], np.tile(np.float32([np.nan, np.nan, 0]), (80, 1)))


def change(folder: Path, what: str) -> None:
    time, value = np.load(folder / "t"), np.load(folder / "value")
    if what == "out of order":
        time[[40, 41]] = time[[41, 40]]
    elif what == "twice":
        time[41] = time[40]
    elif what == "milliseconds":
        time = time * 1000
    elif what == "no number":
        time[5] = np.nan
    elif what == "infinite":
        value[5] = np.inf
    elif what == "shorter":
        time = time[:-1]
    save(folder, time, value)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("out of order", r"1 stamps lie before their predecessor, first row 41"),
        ("twice", r"1 stamps stand twice, first 1000\.444444 s in rows 40 and 41"),
        ("milliseconds", r"it runs at 0\.09 Hz, not at the 90 Hz that it should\. Is its time in seconds"),
        ("no number", r"1 stamps are no number, first in row 5"),
        ("infinite", r"value: holds infinite values"),
        ("shorter", r"t has shape \(2699,\) and value \(2700, 1\)"),
    ],
)
def test_bad_stamps_are_named_and_follow_the_policy(segment: Path, what: str, message: str) -> None:
    make(segment.parents[2], "b|2019", 0)
    change(segment / "processed_log" / "CAN" / "speed", what)
    with pytest.raises(UserError, match=message):
        source(segment)
    assert set(source(segment, group="route", on_error="skip").frame().groups) == {"b|2019"}


def test_bad_stamps_of_an_input_are_read_errors_of_its_modality(segment: Path) -> None:
    change(segment / "processed_log" / "IMU" / "gyro", "out of order")
    with pytest.raises(ReadError, match=r"stream 3/IMU/gyro: 1 stamps lie before") as caught:
        source(segment).read(0)
    assert caught.value.modality == "imu"
    assert "imu" in source(segment, unordered="sort").read(0)
    change(segment / "processed_log" / "CAN" / "steering_angle", "twice")
    assert source(segment, duplicates="last").read(0, without={"imu"})["can"].shape == (80, 6)
    radar = segment / "processed_log" / "CAN" / "radar"
    time = np.load(radar / "t")
    time[[0, 5]] = time[[5, 0]]
    save(radar, time, np.load(radar / "value"))
    with pytest.raises(ReadError, match=r"stream 3/CAN/radar: .*unordered=sort") as caught:
        source(segment, duplicates="last").read(0, without={"imu"})
    assert caught.value.modality == "radar"
    (segment / "processed_log" / "CAN" / "wheel_speed" / "value").write_bytes(b"\x93NUMPY")
    with pytest.raises(ReadError, match=r"modality can: .*wheel_speed/value: not a readable NumPy file"):
        source(segment).read(0)


def test_a_clock_that_drifts_is_an_error(segment: Path) -> None:
    path = segment / "global_pose" / "frame_times"
    frames = np.load(path)
    for drift, ok in ((5e-4, True), (-2e-3, False)):
        with open(path, "wb") as file:
            np.save(file, START + (frames - START) * (1 + drift))
        if ok:
            source(segment)
        else:
            with pytest.raises(UserError, match=r"drifts -2000 ppm against GPS time"):
                source(segment)


def test_another_layout_is_said_clearly(segment: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root is not given.*commaai/comma2k19"):
        Comma2k19(MODALITIES, TARGETS)
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "Chunk_1.zip").touch()
    with pytest.raises(UserError, match=r"no segment.*Unpack it first: Chunk_1\.zip.*Expected the layout of"):
        Comma2k19(MODALITIES, TARGETS, 0, tmp_path / "packed")
    shutil.rmtree(segment / "processed_log" / "CAN" / "speed")
    with pytest.raises(UserError, match=r"CAN/speed/t: no such file"):
        source(segment)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"history": 9.0}, r"history=9 and horizon=2 do not fit into data\.source\.block=10 s"),
        ({"step": 0.0}, r"step=0\.0: a number above 0"),
        ({"threshold": -1.0}, "threshold=-1"),
        ({"rate": 10.0}, r"modality\.can\.rate=20: data\.source\.rate=10 Hz is what is read"),
        ({"group": "drive"}, "group=drive: allowed are block, segment, route"),
        ({"unordered": "keep", "duplicates": "drop"}, "unordered=keep(?s:.*)duplicates=drop"),
    ],
)
def test_options_are_checked(segment: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        source(segment, **fields)


def test_a_worker_reads_the_same(segment: Path) -> None:
    made = source(segment)
    other = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(made.read(3)["imu"], other.read(3)["imu"])
    assert made.fingerprint() == other.fingerprint() != source(segment, step=1.0).fingerprint()


needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data at {REAL}; name its parent in CROSSFADE_DATA")


@needs_real
def test_the_real_minute_agrees_with_the_table_that_others_made(tmp_path: Path) -> None:
    with tarfile.open(REAL / "Example_1.tar.gz") as packed:
        packed.extractall(tmp_path, filter="data")
    made = Comma2k19(MODALITIES, {"speed_change": TARGETS["speed_change"]}, 0, tmp_path)
    frame = made.frame()
    assert len(frame.ids) == 54
    assert len(set(frame.groups)) == 6
    assert frame.present.all()
    table = pd.read_csv(REAL / "frames_20hz.csv")
    segment = made.places[0][0]
    at = np.load(segment / "global_pose" / "frame_times")
    speed = read_stream(segment, "CAN/speed", 1, "can")
    now, then = (interpolate(speed, at + after)[:, 0] for after in (0, 2))  # the table looks ahead to the next stamp
    there = ~np.isnan(now) & ~np.isnan(then) & table["target_dspeed_2s"].notna()
    assert there.sum() > 1150
    np.testing.assert_allclose(now[there], table["speed"][there], atol=1e-5)
    np.testing.assert_allclose((then - now)[there], table["target_dspeed_2s"][there], atol=3e-3)
    moments = [moment for _, moment in made.places]
    change = np.interp(moments, at[there], (then - now)[there])
    np.testing.assert_allclose(frame.truth["speed_change"], change, atol=0.2)  # the source holds the last value
    gyro = window(read_stream(segment, "IMU/gyro", 3, "imu"), at, 0.5)
    table_gyro = table[["imu_gyrx", "imu_gyry", "imu_gyrz"]]
    assert np.median(np.abs(gyro[20:] - table_gyro[20:])) < 5e-4  # the table's windows differ by a stamp or two
    gnss = interpolate(read_gnss(segment), at)[:, 0]
    np.testing.assert_allclose(gnss[40:-5], table["gnss_speed"][40:-5], atol=1e-4)
    value = made.read(0)
    assert (np.abs(value["imu"][:, 2] + 9.8) < 3).all()  # gravity, downwards
    assert np.nanmax(np.abs(value["can"][:, 0] - value["gnss"][:, 0])) < 1
