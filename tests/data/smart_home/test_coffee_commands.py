"""Spoken orders: the published layout and the counts of the real set where it is at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from crossfade.data.smart_home.coffee_commands import CoffeeCommands, index
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

REPO = Path(__file__).parents[3]
REAL = Path(os.environ.get("CROSSFADE_DATA", REPO.parent / "shared" / "data")) / "picovoice_coffee_commands"
CONFIG = yaml.safe_load((REPO / "conf/task/smart_home/coffee_commands.yaml").read_text(encoding="utf-8"))
MODALITIES = {name: ModalitySpec(name=name, **fields) for name, fields in CONFIG["modality"].items()}
TARGETS = {name: TargetSpec(name=name, **fields) for name, fields in CONFIG["target"].items()}
LABELS: dict[str, Any] = {
    "a.wav": {"intent": "orderDrink", "slots": {"coffeeDrink": "latte", "milkAmount": " soy milk"}},
    "b.wav": {"intent": "orderDrink", "slots": {"coffeeDrink": "mocha", "size": "large", "roast": "dark roast", "numberOfShots": "one"}},
    "c.wav": {"intent": "orderDrink", "slots": {"coffeeDrink": "coffee"}},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    soundfile = pytest.importorskip("soundfile")
    (tmp_path / "data/speech/clean").mkdir(parents=True)
    (tmp_path / "data/label").mkdir()
    (tmp_path / "data/label/label.json").write_text(json.dumps(LABELS), encoding="utf-8")
    for name in ("a", "b"):  # c has a label and no clip
        soundfile.write(tmp_path / f"data/speech/clean/{name}.wav", np.zeros(1600) + 0.1, 16000)
    return tmp_path


def source(root: Path) -> CoffeeCommands:
    return CoffeeCommands(MODALITIES, TARGETS, 0, root)


def test_clips_become_samples(folder: Path) -> None:
    made = source(folder)
    frame = made.frame()
    assert list(frame.ids) == ["a", "b"]
    assert list(frame.truth["drink"]) == ["latte", "mocha"]
    assert list(frame.truth["cup"]) == ["none", "large"]
    assert list(frame.truth["roasting"]) == ["none", "dark roast"]
    assert made.read(0)["audio"].shape == (1600,)
    table = index(folder)
    assert table.loc[0, ["intent", "milkAmount", "size"]].tolist() == ["orderDrink", "soy milk", ""]


def test_another_layout_is_said_clearly(folder: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root is not given.*git clone"):
        CoffeeCommands(MODALITIES, TARGETS)
    with pytest.raises(UserError, match=r"no folder data/speech/clean/(?s:.*)no file data/label/label\.json"):
        source(folder / "data")
    path = folder / "data/label/label.json"
    for labels, words in (
        ({"a.wav": LABELS["a.wav"]}, r"no label for 1 clips, first b\.wav"),
        ({**LABELS, "b.wav": {"intent": "x"}}, r"b\.wav has no intent and slots"),
        ({**LABELS, "b.wav": {"intent": "x", "slots": {"cake": "one"}}}, "b has the slot cake, expected coffeeDrink"),
        ([], "holds no mapping"),
    ):
        path.write_text(json.dumps(labels), encoding="utf-8")
        with pytest.raises(UserError, match=words):
            source(folder)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="not a readable JSON"):
        source(folder)


needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data at {REAL}; name its parent in CROSSFADE_DATA")


@needs_real
def test_the_real_set_has_the_known_counts() -> None:
    made = source(REAL)
    truth = {name: list(values) for name, values in made.frame().truth.items()}
    assert len(truth["drink"]) == 619
    assert len(set(truth["drink"])) == 10
    assert {shots: truth["shots"].count(shots) for shots in set(truth["shots"])} == {
        "none": 293, "double shot": 114, "single shot": 108, "triple shot": 104,
    }  # fmt: skip
    assert made.read(0)["audio"].ndim == 1
