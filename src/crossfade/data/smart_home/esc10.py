"""Ten sounds of the surroundings, among them those that a home listens for: baby, dog, saw, fire.

K. J. Piczak: ESC: Dataset for Environmental Sound Classification, ACM Multimedia 2015. Get it with

    git clone https://github.com/karolpiczak/ESC-10

Licence: CC BY 3.0; the clips come from freesound.org (CC0 or CC BY, credits in the set's README). Layout: a folder
`<number> - <class>` per class with clips of 5 s, `<fold>-<freesound id>-<take>.ogg`, 44.1 kHz; they are resampled to the
modality's rate when read. Takes of one recording are one group; the five folds of the file names keep them together.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from crossfade.data.manifest import ManifestSource
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

SITE = "https://github.com/karolpiczak/ESC-10"
FOLDER = re.compile(r"\d+ - (.+)")
CLIP = re.compile(r"(\d+)-(\d+)-[A-Z]+\d*")
SOUNDS = (".ogg", ".wav", ".flac")


class Esc10(ManifestSource):
    """The published folder as a manifest: columns `clip` (path) and `sound`; folds 0 to 4 are the published 1 to 5.

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
        super().__init__(modalities, targets, seed, table, root, "clip", "recording", None, "fold", on_error)


def index(root: Path) -> pd.DataFrame:
    """One row per clip: clip (path and ID), sound ("dog bark", …), recording (freesound ID), fold (from 0)."""
    rows, strange = [], []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        named = FOLDER.fullmatch(folder.name)
        if not named or not folder.is_dir():
            continue
        for file in sorted(f for f in folder.iterdir() if f.suffix.lower() in SOUNDS):
            clip = file.relative_to(root).as_posix()
            parts = CLIP.fullmatch(file.stem)
            if parts is None or int(parts[1]) < 1:
                strange.append(clip)
                continue
            rows.append(
                {"clip": clip, "sound": named[1].lower(), "recording": parts[2], "fold": str(int(parts[1]) - 1)}
            )
    if strange:
        raise UserError(
            f"data.root={root}: {len(strange)} clips are not called <fold>-<freesound id>-<take>, first {strange[0]}. "
            f"Expected the layout of {SITE}."
        )
    if not rows:
        raise UserError(f"data.root={root}: no folder '<number> - <class>' with clips. Expected the layout of {SITE}.")
    return pd.DataFrame(rows)
