"""Commands to a home in English: what somebody writes or says to Home Assistant → its intent and its slots.

The tests of Home Assistant's sentences, written by hand by its contributors. Get them with

    git clone https://github.com/home-assistant/intents

Licence: CC BY 4.0. Layout: `tests/en/**/*.yaml`; a file holds a list `tests` of blocks, each with `sentences` that mean
the same and their `intent: {name, slots, context}`. In the newer files the folder's name is the intent, and `slots`
stand in the block. `tests/en/_fixtures.yaml` lists the home's devices and holds no sentence.

What this module does against the leaks of this set:
- the sentences of a block are paraphrases of each other: a block is a group, and blocks that share a sentence (in any
  case) are one group; a sentence stands once for each intent;
- a slot whose value comes from the block's `context` (where the speaker is) is not in the words, so it is no truth.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from crossfade.data.manifest import ManifestSource
from crossfade.data.readers.tables import read_table
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

SITE = "https://github.com/home-assistant/intents"
FOLDER = "tests/en"
SLOTS = ("name", "area", "floor", "domain", "device_class", "state", "brightness", "color", "temperature", "position")


class HomeAssistantIntents(ManifestSource):
    """The published folder as a manifest: column `sentence` (text), `intent` (a label), the slots of `SLOTS` (words).

    Intents with fewer than `sentences` sentences or `blocks` blocks (those of one group count once) are left out: they
    cannot be in every fold. `listed`: a table with the column `sentence`, in the folder or elsewhere; of the set's
    sentences only those that stand in it, in any case, are kept (a selection that somebody fixed). null: all.
    Raises UserError saying what of the layout is missing, and all that `ManifestSource` checks.
    """

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int = 0,
        root: str | Path | None = None,
        sentences: int = 15,
        blocks: int = 5,
        listed: str | Path | None = None,
        on_error: str = "error",
    ) -> None:
        if root is None:
            raise UserError(f"data.root is not given: the folder of the data set. Get it with: git clone {SITE}")
        folder = Path(root).expanduser()
        table = index(folder) if listed is None else selected(index(folder), folder, listed)
        table = common(table, sentences, blocks)
        super().__init__(modalities, targets, seed, table, root, "id", "group", None, None, on_error)


def common(table: pd.DataFrame, sentences: int, blocks: int) -> pd.DataFrame:
    """The rows of the intents that have as many sentences and blocks. Raises UserError where there are not two."""
    of_intent = table.groupby("intent")
    enough = (of_intent.size() >= sentences) & (of_intent["group"].nunique() >= blocks)
    if enough.sum() < 2:
        raise UserError(
            f"data.source.sentences={sentences}, data.source.blocks={blocks}: {enough.sum()} of {len(enough)} intents "
            "have as many. Lower them."
        )
    return table[table["intent"].map(enough)].reset_index(drop=True)


def selected(table: pd.DataFrame, root: Path, listed: str | Path) -> pd.DataFrame:
    """The rows whose sentence stands in the table `listed`, in any case; a relative path starts from the folder.

    Raises UserError where there is no such file, it has no column `sentence`, or names a sentence that the set lacks.
    """
    path = root / Path(listed).expanduser()
    if not path.is_file():
        raise UserError(f"data.source.listed={listed}: no such file {path}. Give a table with the column `sentence`.")
    given = read_table(path)
    if "sentence" not in given:
        raise UserError(f"data.source.listed={listed}: no column `sentence`; it has {', '.join(given.columns)}.")
    wanted = {str(sentence).lower() for sentence in given["sentence"]}
    low = table["sentence"].str.lower()
    unknown = sorted(wanted - set(low))
    if unknown:
        raise UserError(
            f"data.source.listed={listed}: {len(unknown)} of its {len(wanted)} sentences are not in {root / FOLDER}, "
            f"such as {unknown[0]!r}. It was made from another version of the set: take them out, or get that version."
        )
    return table[low.isin(wanted)]


def index(root: Path) -> pd.DataFrame:
    """One row per sentence: id (file#block/number), block, group, sentence, intent, and a column for each of SLOTS."""
    files = sorted((root / FOLDER).rglob("*.yaml"))
    if not files:
        raise UserError(f"data.root={root}: no file {FOLDER}/*.yaml. Expected the layout of {SITE}.")
    rows = [row for file in files for row in _sentences(root, file)]
    if not rows:
        raise UserError(f"data.root={root}: no file of {FOLDER} holds a sentence. Expected the layout of {SITE}.")
    table = pd.DataFrame(rows)
    table["group"] = _groups(table["block"].tolist(), table["sentence"].str.lower().tolist())
    same = table["sentence"].str.lower() + "\n" + table["intent"]
    return table[~same.duplicated()].reset_index(drop=True)


def _sentences(root: Path, file: Path) -> list[dict[str, Any]]:
    content = _yaml(file)
    name = file.relative_to(root / FOLDER).as_posix()
    tests = content.get("tests") or []
    if not isinstance(tests, list):
        raise UserError(f"{file}: `tests` is not a list of blocks. Expected the layout of {SITE}.")
    rows = []
    for number, block in enumerate(tests):
        place = f"{file}, block {number + 1}"
        given = block.get("sentences") if isinstance(block, dict) else None
        if not isinstance(given, list) or not all(isinstance(sentence, str) for sentence in given):
            raise UserError(f"{place}: has no list of `sentences`. Expected the layout of {SITE}.")
        intent, slots = _meaning(block, name, place)
        for k, sentence in enumerate(given):
            row = {"id": f"{name}#{number}/{k}", "block": f"{name}#{number}", "sentence": sentence, "intent": intent}
            rows.append(row | {slot: slots.get(slot) for slot in SLOTS})
    return rows


def _yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not a readable YAML: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{file}: holds no mapping. Expected the layout of {SITE}.")
    return content


def _meaning(block: dict[str, Any], file: str, place: str) -> tuple[str, dict[str, str]]:
    """A block's intent, and the slots that its words name."""
    intent = block.get("intent", block)
    folder, _, rest = file.partition("/")
    name = intent.get("name") if intent is not block else (folder if rest else None)
    if not isinstance(name, str):
        raise UserError(
            f"{place}: neither `intent: {{name: …}}` nor a folder named after the intent says what it means."
        )
    context = intent.get("context") or {}
    slots = {slot: _word(value) for slot, value in (intent.get("slots") or {}).items()}
    return name, {slot: word for slot, word in slots.items() if word != _word(context.get(slot))}


def _word(value: Any) -> str:
    """A slot's value as a word; of several that are allowed, the shortest. YAML reads on and off as true and false."""
    if isinstance(value, list):
        return min((_word(one) for one in value), key=lambda word: (len(word), word), default="")
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else (value if isinstance(value, str) else json.dumps(value)).strip()


def _groups(blocks: list[str], sentences: list[str]) -> list[str]:
    """One name for all blocks that share a sentence, directly or through others: the most frequent one's."""
    leader: dict[str, str] = {}

    def find(key: str) -> str:
        while leader.setdefault(key, key) != key:
            key = leader[key]
        return key

    with_sentence: dict[str, str] = {}
    for block, sentence in zip(blocks, sentences, strict=True):
        leader[find(with_sentence.setdefault(sentence, block))] = find(block)
    members: dict[str, Counter[str]] = defaultdict(Counter)
    for block in blocks:
        members[find(block)][block] += 1
    return [members[find(block)].most_common(1)[0][0] for block in blocks]
