"""Spoken orders to a coffee machine: what was said → the intent and its slots.

Picovoice's benchmark of speech-to-intent engines. Get it with

    git clone https://github.com/Picovoice/speech-to-intent-benchmark

Licence: Apache 2.0. Layout: `data/speech/clean/<name>.wav`, 16 kHz, one order each; `data/label/label.json` maps
`<name>.wav` to `{"intent", "slots": {…}}`. More than 50 people spoke, but nobody says who spoke what: folds cannot keep
speakers apart, so scores are too good by what a model learns of a voice. There is one intent, orderDrink.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from crossfade.data.manifest import ManifestSource
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

SITE = "https://github.com/Picovoice/speech-to-intent-benchmark"
SPEECH = "data/speech/clean"
LABELS = "data/label/label.json"
SLOTS = ("coffeeDrink", "size", "roast", "numberOfShots", "milkAmount", "sugarAmount")
SOUNDS = (".wav", ".ogg", ".flac")


class CoffeeCommands(ManifestSource):
    """The published folder as a manifest: columns `clip` (path), `intent`, `SLOTS` (blank: not named) and, for a target
    of kind multiclass, `drink`, `cup`, `roasting` and `shots` with the label "none" where the order names none.

    Labels without a clip are left out; a clip without a label is an error.
    Raises UserError saying what of the layout is missing, and all that `ManifestSource` checks.
    """

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int = 0,
        root: str | Path | None = None,
        on_error: str = "error",
    ) -> None:
        if root is None:
            raise UserError(f"data.root is not given: the folder of the data set. Get it with: git clone {SITE}")
        table = index(Path(root).expanduser())
        super().__init__(modalities, targets, seed, table, root, "name", None, None, None, on_error)


def index(root: Path) -> pd.DataFrame:
    """One row per clip: name, clip (path), intent, one column per slot, drink, cup, roasting, shots."""
    labels = _labels(root)
    clips = {file.stem: file for file in sorted((root / SPEECH).iterdir()) if file.suffix.lower() in SOUNDS}
    without = sorted(set(clips) - set(labels))
    if without:
        raise UserError(f"{root / LABELS}: no label for {len(without)} clips, first {clips[without[0]].name}.")
    rows = []
    for name, file in clips.items():
        slots = {slot: str(value).strip() for slot, value in labels[name]["slots"].items()}
        strange = sorted(set(slots) - set(SLOTS))
        if strange:
            raise UserError(f"{root / LABELS}: {name} has the slot {strange[0]}, expected {', '.join(SLOTS)}.")
        row = {"name": name, "clip": file.relative_to(root).as_posix(), "intent": labels[name]["intent"]}
        row |= {slot: slots.get(slot, "") for slot in SLOTS}
        named = {"drink": "coffeeDrink", "cup": "size", "roasting": "roast", "shots": "numberOfShots"}
        rows.append(row | {label: slots.get(slot, "none") for label, slot in named.items()})
    if not rows:
        raise UserError(f"data.root={root}: {SPEECH}/ holds no clip. Expected the layout of {SITE}.")
    return pd.DataFrame(rows)


def _labels(root: Path) -> dict[str, dict[str, Any]]:
    """label.json by the clips' names, after checking that the folder is the published one."""
    problems = []
    if not (root / SPEECH).is_dir():
        problems.append(f"data.root={root}: no folder {SPEECH}/.")
    if not (root / LABELS).is_file():
        problems.append(f"data.root={root}: no file {LABELS}.")
    if problems:
        raise UserError(*problems, f"Expected the layout of {SITE}.")
    try:
        labels = json.loads((root / LABELS).read_text(encoding="utf-8"))
    except ValueError as error:  # not JSON, or not UTF-8
        raise UserError(f"{root / LABELS}: not a readable JSON: {error}") from error
    if not isinstance(labels, dict):
        raise UserError(f"{root / LABELS}: holds no mapping of clips to labels. Expected the layout of {SITE}.")
    for name, label in labels.items():
        if not isinstance(label, dict) or not isinstance(label.get("slots"), dict) or "intent" not in label:
            raise UserError(f"{root / LABELS}: {name} has no intent and slots. Expected the layout of {SITE}.")
    return {Path(name).stem: label for name, label in labels.items()}
