"""ESC-10: its layout, the folds of its file names, and the counts of the real set where it is at hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from crossfade.data.smart_home.esc10 import Esc10
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

REPO = Path(__file__).parents[3]
REAL = Path(os.environ.get("CROSSFADE_DATA", REPO.parent / "shared" / "data")) / "esc10"
CONFIG = yaml.safe_load((REPO / "conf/task/smart_home/esc10.yaml").read_text(encoding="utf-8"))
MODALITIES = {name: ModalitySpec(name=name, **fields) for name, fields in CONFIG["modality"].items()}
TARGETS = {name: TargetSpec(name=name, **fields) for name, fields in CONFIG["target"].items()}
CLIPS = ("001 - Dog bark/1-100-A.wav", "001 - Dog bark/1-100-B.wav", "004 - Baby cry/2-200-A.wav")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    soundfile = pytest.importorskip("soundfile")
    for clip in CLIPS:
        (tmp_path / clip).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / clip, np.sin(2 * np.pi * 440 * np.arange(44100) / 44100) * 0.5, 44100)
    (tmp_path / "README.md").write_text("text", encoding="utf-8")
    return tmp_path


def source(root: Path) -> Esc10:
    return Esc10(MODALITIES, TARGETS, 0, root)


def test_clips_become_samples_with_their_published_folds(folder: Path) -> None:
    frame = source(folder).frame()
    assert list(frame.ids) == list(CLIPS)
    assert list(frame.truth["security"]) == ["dog bark", "dog bark", "baby cry"]
    assert list(frame.fold or []) == [0, 0, 1]
    assert frame.groups[0] == frame.groups[1] != frame.groups[2]


def test_clips_are_read_at_the_modality_s_rate(folder: Path) -> None:
    wave = source(folder).read(2)["audio"]
    assert wave.shape == (16000,)
    spectrum = np.abs(np.fft.rfft(wave))
    assert spectrum.argmax() == 440


def test_another_layout_is_said_clearly(folder: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root is not given.*git clone"):
        Esc10(MODALITIES, TARGETS)
    with pytest.raises(UserError, match="no folder '<number> - <class>' with clips. Expected the layout of"):
        source(folder / "001 - Dog bark")
    (folder / "001 - Dog bark" / "bark.wav").write_bytes(b"")
    with pytest.raises(UserError, match=r"1 clips are not called <fold>-<freesound id>-<take>, first 001 - Dog bark/bark"):
        source(folder)


needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data at {REAL}; name its parent in CROSSFADE_DATA")


@needs_real
def test_the_real_set_has_its_folds_and_can_be_read() -> None:
    made = source(REAL)
    frame = made.frame()
    truth, fold = np.array(frame.truth["security"]), np.array(frame.fold)
    assert len(truth) == 400
    assert all((truth[fold == k] == sound).sum() == 8 for k in range(5) for sound in set(truth))
    folds_of = {group: set(fold[np.array(frame.groups) == group]) for group in set(frame.groups)}
    assert all(len(folds) == 1 for folds in folds_of.values())
    for i in range(0, 400, 50):
        wave = made.read(i)["audio"]
        assert 70_000 < len(wave) < 90_000
        assert 0 < np.abs(wave).max() <= 1.5
