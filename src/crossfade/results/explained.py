"""What `crossfade explain` leaves in a run's folder: explain/<target>_<method>.json, and beside it a CSV a sample."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossfade.runs import RunFolder
from crossfade.runs.files import read_csv, read_json, write_json, write_text

if TYPE_CHECKING:
    import pandas as pd

METHODS = {"integrated_gradients": "integrated gradients", "rollout": "attention rollout"}


def not_installed(method: str) -> list[str]:
    """No problem, or that a package is not there which the method needs."""
    if method != "integrated_gradients" or importlib.util.find_spec("captum") is not None:
        return []
    return [
        "method=integrated_gradients needs captum, which is not installed. Install it: "
        'pip install "crossfade[explain]"; or take method=rollout.'
    ]


@dataclass(frozen=True)
class Explained:
    """One explanation: of a target, by a method, of some samples.

    A sample is plain data: id, file, truth, predicted, and of integrated gradients what is explained, value,
    baseline, gap and steps. `lacking` says by modality why it has no places.
    """

    folder: Path
    target: str
    method: str
    samples: Sequence[Mapping[str, Any]]
    lacking: Mapping[str, str]

    def values(self, sample: Mapping[str, Any]) -> pd.DataFrame:
        """The values of one sample's places (`analysis.places`)."""
        text = {"modality": str, "kind": str, "name": str}
        table = read_csv(self.folder / f"{sample['file']}.csv", dtype=text, keep_default_na=False, na_values=[""])
        return table.assign(name=table["name"].fillna(""))

    def write(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Write the CSV of each sample, by its file's name, and what there is of them."""
        for name, table in tables.items():
            write_text(self.folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
        about = {"target": self.target, "method": self.method, "lacking": dict(self.lacking)}
        write_json(_about(self.folder), {**about, "samples": [dict(sample) for sample in self.samples]})


def explanation_folder(run: RunFolder, target: str, method: str) -> Path:
    """Where one explanation of a run stands."""
    return run.path / "explain" / f"{target}_{method}"


def explanations(run: RunFolder) -> list[Explained]:
    """All of a run's."""
    found = []
    for path in sorted((run.path / "explain").glob("*.json")):
        about = read_json(path)
        found.append(
            Explained(path.with_suffix(""), about["target"], about["method"], about["samples"], about["lacking"])
        )
    return found


def file_name(sample: str) -> str:
    """A file's name for a sample's id, whatever letters that has: different ones for different ids."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", sample)[:60]
    if plain == sample and not plain.startswith("."):
        return plain
    return f"{plain.lstrip('.')}-{hashlib.sha256(sample.encode()).hexdigest()[:8]}"


def _about(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")
