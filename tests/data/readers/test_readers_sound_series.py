"""Audio, series and point clouds: exact round trips, resampling, faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crossfade.data.readers import Fault
from crossfade.data.readers.audio import read_audio
from crossfade.data.readers.points import read_points
from crossfade.data.readers.series import read_series
from crossfade.errors import UserError

soundfile = pytest.importorskip("soundfile")
SOUND = np.random.default_rng(0).integers(-(2**15), 2**15, 1600).astype(np.float32) / 2**15  # exact in 16 bits


@pytest.mark.parametrize("extension", ["wav", "flac"])
def test_lossless_sound_comes_back_exactly(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"a.{extension}"
    soundfile.write(path, SOUND, 16000, subtype="PCM_16")
    sound = read_audio(path, 16000)
    assert sound.dtype == np.float32
    np.testing.assert_array_equal(sound, SOUND)


def test_ogg_is_close(tmp_path: Path) -> None:
    tone = np.sin(np.arange(8000) * 0.1).astype(np.float32) / 2
    soundfile.write(tmp_path / "a.ogg", tone, 8000)
    sound = read_audio(tmp_path / "a.ogg", 8000)
    assert sound.shape == tone.shape
    assert np.sqrt(np.mean((sound - tone) ** 2)) < 0.02


def test_channels_are_averaged(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([SOUND, -SOUND], axis=1), 16000, subtype="PCM_16")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", 16000), np.zeros_like(SOUND))


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_a_tone_keeps_its_pitch_at_another_rate(tmp_path: Path, rate: int) -> None:
    seconds, hertz = 1, 440.0
    time = np.arange(16000 * seconds) / 16000
    soundfile.write(tmp_path / "a.wav", np.sin(2 * np.pi * hertz * time) / 2, 16000, subtype="FLOAT")
    sound = read_audio(tmp_path / "a.wav", rate)
    assert len(sound) == rate * seconds
    middle = slice(rate // 10, -rate // 10)  # the filter's ends aside
    expected = np.sin(2 * np.pi * hertz * np.arange(rate * seconds) / rate) / 2
    np.testing.assert_allclose(sound[middle], expected[middle], atol=2e-3)


def test_bad_sounds_are_faults(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, SOUND, 16000, subtype="PCM_16")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(Fault, match="truncated"):
        read_audio(path, 16000)
    path.write_bytes(b"junk")
    with pytest.raises(Fault, match="not readable as sound"):
        read_audio(path, 16000)
    soundfile.write(path, np.zeros(0), 16000)
    with pytest.raises(Fault, match="empty"):
        read_audio(path, 16000)
    soundfile.write(path, np.array([0.0, np.nan]), 16000, subtype="FLOAT")
    with pytest.raises(Fault, match="1 NaN"):
        read_audio(path, 16000)
    with pytest.raises(Fault, match=r"\.wav"):
        read_audio(tmp_path / "a.mp3", 16000)


def test_truncated_flac_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 16000), 16000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(Fault):
        read_audio(path, 16000)


def test_a_missing_soundfile_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.import_module", lambda n: (_ for _ in ()).throw(ModuleNotFoundError(name=n)))
    with pytest.raises(UserError, match=r'pip install "crossfade\[audio\]"'):
        read_audio(tmp_path / "a.wav", 16000)


SERIES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 4)),
    elements=st.floats(-(2.0**99), 2.0**99, width=32) | st.just(np.nan),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=SERIES)
def test_series_come_back_exactly_from_every_format(tmp_path: Path, values: np.ndarray) -> None:
    frame = pd.DataFrame(values, columns=[f"c{i}" for i in range(values.shape[1])])
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "a.parquet")
    np.save(tmp_path / "a.npy", values)
    for name in ("a.csv", "a.tsv", "a.parquet", "a.npy"):
        series = read_series(tmp_path / name)
        assert series.dtype == np.float32
        np.testing.assert_array_equal(series, values)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n3,inf\n", "column 'b', step 2: 'inf' is not finite"),
        ("a,b\n1,high\n", "column 'b', step 1: 'high' is not a number"),
        ("a,b\n1_0,1\n", "not a number"),
        ("a,b\n", "empty"),
        ("", "no header"),
        ("1,2\n3,4\n", "needs a header"),
        ("a,b\n1\n", "line 2 has 1 cells"),
    ],
)
def test_bad_series_are_faults(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(Fault, match=words):
        read_series(tmp_path / "a.csv")


def test_one_dimensional_series_is_one_channel(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    np.testing.assert_array_equal(read_series(tmp_path / "a.npy"), [[0], [1], [2]])
    np.save(tmp_path / "a.npy", np.zeros((2, 2, 2)))
    with pytest.raises(Fault, match=r"expected \(T,\) or \(T, C\)"):
        read_series(tmp_path / "a.npy")


def test_points(tmp_path: Path) -> None:
    cloud = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.save(tmp_path / "a.npy", cloud)
    np.testing.assert_array_equal(read_points(tmp_path / "a.npy"), cloud)
    np.save(tmp_path / "a.npy", cloud[0])
    with pytest.raises(Fault, match=r"expected \(N, F\)"):
        read_points(tmp_path / "a.npy")
