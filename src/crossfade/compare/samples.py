"""Were runs of the same seed and fold tested on the same samples? Else their difference means nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from crossfade.config import RunConfig
from crossfade.errors import UserError
from crossfade.runs import RunFolder

WHERE = ("root", "manifest", "schema")  # of a source: where its files lie, not what they are


def check_samples(folders: Sequence[RunFolder], configs: Sequence[RunConfig], target: str) -> list[str]:
    """Raises UserError where two runs of one seed and fold had other test samples, groups, truths or data.

    Returns a note where files have changed between two runs as far as their sizes and dates say, though ids and
    truths are the same: copies have other dates.
    """
    notes = []
    first: dict[Any, tuple[RunFolder, RunConfig, pd.DataFrame]] = {}
    for folder, config in zip(folders, configs, strict=True):
        tested = folder.predictions("test")
        tested = tested[[c for c in ("id", "group", f"{target}.truth") if c in tested]]
        place = (config.seed, config.data.fold)
        other, its, its_tested = first.setdefault(place, (folder, config, tested))
        if other is folder:
            continue
        fault = _other_data(its, config) or _other_samples(its_tested, tested, target)
        if not fault and _same_parts(its, config) and other.summary().get("data") != folder.summary().get("data"):
            if not _has_files(config):
                fault = "their data were generated differently (another version of the generator)"
            else:
                notes.append(
                    f"The files that {other.path} and {folder.path} were made of have other sizes or dates; ids and "
                    "truths are the same."
                )
        if fault:
            raise UserError(
                f"{other.path} and {folder.path} were not tested on the same samples: {fault}. Compare runs of the "
                "same data, seed and fold."
            )
    return notes


def _other_samples(a: pd.DataFrame, b: pd.DataFrame, target: str) -> str:
    """How two tables of test samples differ, "" for not at all."""
    if list(a["id"]) != list(b["id"]):
        shared = len(set(a["id"]) & set(b["id"]))
        if shared == len(a) == len(b):
            return "they stand in another order"
        return f"{len(a)} and {len(b)}, of which {shared} are in both"
    if list(a["group"]) != list(b["group"]):
        return "the ids are the same, and grouped differently"
    truth = f"{target}.truth"
    if truth in a and truth in b and (differing := int((a[truth].astype(str) != b[truth].astype(str)).sum())):
        return f"the ids are the same, but {differing} of {len(a)} have another truth of {target}"
    return ""


def _other_data(a: RunConfig, b: RunConfig) -> str:
    """The settings of the source that differ, other than where its files lie."""
    one, two = ({k: v for k, v in (c.data.source or {}).items() if k not in WHERE} for c in (a, b))
    differing = sorted(key for key in one.keys() | two.keys() if one.get(key) != two.get(key))
    return ", ".join(f"data.source.{key} is {one.get(key)} and {two.get(key)}" for key in differing)


def _same_parts(a: RunConfig, b: RunConfig) -> bool:
    """A source's fingerprint is of the modalities and targets that a run uses."""
    return sorted(a.task.modalities) == sorted(b.task.modalities) and a.task.targets == b.task.targets


def _has_files(config: RunConfig) -> bool:
    return config.data.root is not None or config.data.manifest is not None
