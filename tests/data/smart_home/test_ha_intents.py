"""The sentences of Home Assistant: both published layouts, their leaks, and the counts of the real set where it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossfade.data.smart_home.ha_intents import HomeAssistantIntents, index
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

REPO = Path(__file__).parents[3]
REAL = Path(os.environ.get("CROSSFADE_DATA", REPO.parent / "shared" / "data")) / "ha_intents_en"
CONFIG = yaml.safe_load((REPO / "conf/task/smart_home/ha_intents.yaml").read_text(encoding="utf-8"))
MODALITIES = {name: ModalitySpec(name=name, **fields) for name, fields in CONFIG["modality"].items()}
TARGETS = {name: TargetSpec(name=name, **fields) for name, fields in CONFIG["target"].items()}

FLAT = """
language: en
tests:
  - sentences: ["set the lamp to 50%", "lamp 50%"]
    intent: {name: HassLightSet, slots: {brightness: 50, name: Lamp}}
    response: "Brightness set"
  - sentences: ["set the brightness to 10%"]
    intent: {name: HassLightSet, context: {area: Bedroom}, slots: {brightness: 10, area: Bedroom}}
"""
NESTED = """
language: "en"
tests:
  - sentences: ["turn on the lamp", "Lamp 50%"]
    slots: {name: ["lamp ", "lamp", "the lamp"], state: on}
  - sentences: ["lights on"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "tests" / "en"
    (home / "HassTurnOn").mkdir(parents=True)
    (home / "light_HassLightSet.yaml").write_text(FLAT, encoding="utf-8")
    (home / "HassTurnOn" / "name_only.yaml").write_text(NESTED, encoding="utf-8")
    (home / "_fixtures.yaml").write_text('language: "en"\nareas: [{name: Bedroom}]\n', encoding="utf-8")
    return tmp_path


def source(root: Path, **fields: Any) -> HomeAssistantIntents:
    return HomeAssistantIntents(MODALITIES, TARGETS, 0, root, **{"sentences": 1, "blocks": 1, **fields})


def test_both_layouts_become_samples(folder: Path) -> None:
    table = index(folder).set_index("id")
    assert list(table.index) == [
        "HassTurnOn/name_only.yaml#0/0", "HassTurnOn/name_only.yaml#0/1", "HassTurnOn/name_only.yaml#1/0",
        "light_HassLightSet.yaml#0/0", "light_HassLightSet.yaml#0/1", "light_HassLightSet.yaml#1/0",
    ]  # fmt: skip
    assert list(table["intent"]) == ["HassTurnOn"] * 3 + ["HassLightSet"] * 3
    assert table.loc["HassTurnOn/name_only.yaml#0/0", ["name", "state"]].tolist() == ["lamp", "on"]
    assert table.loc["light_HassLightSet.yaml#0/0", ["name", "brightness"]].tolist() == ["Lamp", "50"]
    frame = source(folder).frame()
    assert list(frame.truth["intent"]) == ["HassTurnOn"] * 3 + ["HassLightSet"] * 3
    assert source(folder).read(5) == {"transcript": "set the brightness to 10%"}


def test_a_slot_that_only_the_context_tells_is_no_truth(folder: Path) -> None:
    row = index(folder).set_index("id").loc["light_HassLightSet.yaml#1/0"]
    assert row["brightness"] == "10"
    assert row["area"] is None


def test_blocks_that_share_a_sentence_are_one_group(folder: Path) -> None:
    table = index(folder)
    of_block = table.groupby("block")["group"].first()
    assert of_block["HassTurnOn/name_only.yaml#0"] == of_block["light_HassLightSet.yaml#0"]  # "lamp 50%", in any case
    assert of_block.nunique() == 3
    assert table.groupby("block")["group"].nunique().max() == 1


def test_a_sentence_stands_once_for_each_intent(folder: Path) -> None:
    path = folder / "tests" / "en" / "b_HassLightSet.yaml"
    path.write_text('tests: [{sentences: ["LAMP 50%"], intent: {name: HassLightSet}}]', encoding="utf-8")
    table = index(folder)
    assert (table["sentence"].str.lower() == "lamp 50%").sum() == 2  # HassTurnOn and HassLightSet


def test_rare_intents_are_left_out(folder: Path) -> None:
    path = folder / "tests" / "en" / "c.yaml"
    path.write_text('tests: [{sentences: ["stop", "halt"], intent: {name: HassStop}}]', encoding="utf-8")
    assert set(source(folder).frame().truth["intent"]) == {"HassTurnOn", "HassLightSet", "HassStop"}
    assert set(source(folder, sentences=3).frame().truth["intent"]) == {"HassTurnOn", "HassLightSet"}
    assert set(source(folder, blocks=2).frame().truth["intent"]) == {"HassTurnOn", "HassLightSet"}
    with pytest.raises(UserError, match=r"data\.source\.blocks=3: 0 of 3 intents have as many"):
        source(folder, blocks=3)


def test_a_fixed_selection_of_sentences_is_kept_and_the_groups_stay(folder: Path) -> None:
    (folder / "mine.csv").write_text("sentence,intent\nSet the lamp to 50%,x\nlights on,y\n", encoding="utf-8")
    made = source(folder, listed="mine.csv")
    assert [made.read(i)["transcript"] for i in range(len(made.frame().ids))] == ["lights on", "set the lamp to 50%"]
    groups = index(folder).set_index("sentence")["group"]
    assert list(made.frame().groups) == [groups["lights on"], groups["set the lamp to 50%"]]
    with pytest.raises(UserError, match=r"data\.source\.listed=none\.csv: no such file"):
        source(folder, listed="none.csv")
    (folder / "bad.csv").write_text("text\nlights on\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"no column `sentence`; it has text"):
        source(folder, listed=folder / "bad.csv")
    (folder / "old.csv").write_text("sentence\nlights on\nopen sesame\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"1 of its 2 sentences are not in .*'open sesame'"):
        source(folder, listed="old.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: [", "not a readable YAML"),
        ("- 1", "holds no mapping"),
        ("tests: {a: 1}", "`tests` is not a list"),
        ("tests: [{intent: {name: A}}]", "block 1: has no list of `sentences`"),
        ("tests: [{sentences: [go]}]", "block 1: neither `intent"),
    ],
)
def test_another_layout_is_said_clearly(folder: Path, content: str, words: str) -> None:
    (folder / "tests" / "en" / "bad.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"bad\.yaml") as caught:
        source(folder)
    assert words in str(caught.value)


def test_a_folder_that_is_another_is_said(folder: Path) -> None:
    with pytest.raises(UserError, match=r"data\.root is not given.*git clone"):
        HomeAssistantIntents(MODALITIES, TARGETS)
    with pytest.raises(UserError, match=r"no file tests/en/\*\.yaml.*Expected the layout of"):
        source(folder / "tests")


needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data at {REAL}; name its parent in CROSSFADE_DATA")


@needs_real
def test_the_real_set_has_the_known_counts() -> None:
    made = HomeAssistantIntents(MODALITIES, TARGETS, 0, REAL)
    truth = list(made.frame().truth["intent"])
    assert {intent: truth.count(intent) for intent in set(truth)} == {
        "HassTurnOn": 251, "HassGetState": 245, "HassTurnOff": 195, "HassLightSet": 70, "HassStartTimer": 41,
        "HassMediaSearchAndPlay": 35,
    }  # fmt: skip
    listed = REAL / "sentences.csv"  # of our copy; the older version of the set, whose baseline is known
    assert len(HomeAssistantIntents(MODALITIES, TARGETS, 0, REAL, listed=listed).frame().ids) == 780
    table = index(REAL)
    assert len(table) == 1075
    assert not (table["sentence"].str.lower() + table["intent"]).duplicated().any()
    assert table.assign(low=table["sentence"].str.lower()).groupby("low")["group"].nunique().max() == 1
