"""What the public driving sources share: samples that are read one by one when asked for, and checks of what is asked.

They are no manifests, since one file here holds many samples (a video's XML, a drive's log) or one sample's value is
put together from several files (a point cloud and its calibration).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossfade.data.readers import Fault
from crossfade.data.source import Bound, Frame
from crossfade.errors import ReadError, UserError, did_you_mean
from crossfade.specs import ModalitySpec, TargetSpec

log = logging.getLogger("crossfade")

POLICIES = ("error", "skip", "absent")


@dataclass(frozen=True)
class Offer:
    """What a source can give under a name: the kind, of a table its columns, of others their channels (None: any)."""

    kind: str
    columns: tuple[str, ...] = ()
    channels: int | None = None


class PublicSource:
    """A `Source` whose raw values a subclass reads in `value`."""

    name = ""  # what messages call the set

    def __init__(self, modalities: Mapping[str, ModalitySpec], frame: Frame, files: Iterable[Path], state: Any) -> None:
        """`files` and `state` (plain data) are all that determines the samples: the fingerprint is made of them."""
        self.modalities, self._frame, self._files, self._state = dict(modalities), frame, list(files), state

    def value(self, index: int, modality: str) -> Any | None:
        """The raw value of one modality of one sample, None where it is absent. Raises Fault naming the file."""
        raise NotImplementedError

    def frame(self) -> Frame:
        return self._frame

    def read(self, index: int, without: Collection[str] = ()) -> dict[str, Any]:
        values = {}
        for m, name in enumerate(self.modalities):
            if name in without or not self._frame.present[index, m]:
                continue
            try:
                value = self.value(index, name)
            except Fault as fault:
                where = f'{self.name}, sample "{self._frame.ids[index]}", modality {name}'
                raise ReadError(f"{where}: {fault}.", name) from fault
            if value is not None:
                values[name] = value
        return values

    def bayes(self, target: str, modalities: Sequence[str]) -> Bound | None:
        return None

    def fingerprint(self) -> str:
        """SHA-256 of the options, the IDs, what is read, and each file's name, size and mtime."""
        digest = hashlib.sha256()
        specs = {name: spec.model_dump(mode="json") for name, spec in sorted(self.modalities.items())}
        for part in (self.name, self._state, list(self._frame.ids), specs):
            digest.update(json.dumps(part, sort_keys=True).encode())
        for file in sorted(file for file in self._files if file.exists()):
            status = file.stat()
            digest.update(json.dumps([str(file.name), status.st_size, status.st_mtime_ns]).encode())
        return digest.hexdigest()


def folder_given(root: str | Path | None, how: str) -> Path:
    """`data.root` as a folder; `how` says where to get the set."""
    if root is None:
        raise UserError(f"data.root is not given: the folder of the data set. {how}")
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise UserError(f"data.root={root} is not a folder. {how}")
    return folder


def check_policy(on_error: str) -> None:
    if on_error not in POLICIES:
        raise UserError(f"data.on_error={on_error}: allowed are {', '.join(POLICIES)}.")


def check_offers(
    name: str,
    modalities: Mapping[str, ModalitySpec],
    targets: Mapping[str, TargetSpec],
    offers: Mapping[str, Offer],
    truths: Mapping[str, Collection[str]],
) -> None:
    """UserError with all that is asked of the source and it does not have.

    `offers`: modality → what it is; `truths`: target → the kinds that it can be predicted as.
    """
    problems = []
    for key, spec in modalities.items():
        offer = offers.get(key)
        if offer is None:
            problems.append(
                f"modality {key}: {name} has none of this name.{did_you_mean(key, offers)} It has {_all(offers)}."
            )
            continue
        if spec.kind != offer.kind:
            problems.append(f"modality.{key}.kind={spec.kind}: in {name} it is {offer.kind}.")
            continue
        if offer.channels is not None and spec.channels != offer.channels:
            problems.append(f"modality.{key}.channels={spec.channels}: in {name} it has {offer.channels}.")
        if offer.kind == "table":
            problems += _columns(key, spec, offer)
    for key, target in targets.items():
        if key not in truths:
            problems.append(
                f"target {key}: {name} has no truth of this name.{did_you_mean(key, truths)} It has {_all(truths)}."
            )
        elif target.kind not in truths[key]:
            problems.append(f"target.{key}.kind={target.kind}: in {name} it is {' or '.join(truths[key])}.")
    if problems:
        raise UserError(*problems)


def _columns(key: str, spec: ModalitySpec, offer: Offer) -> list[str]:
    asked = [spec.column] if isinstance(spec.column, str) else list(spec.column or [])
    if not asked:
        return [f"modality.{key} has no `column`. Say which of these it holds: {', '.join(offer.columns)}."]
    return [
        f"modality.{key}.column: there is no {column}.{did_you_mean(column, offer.columns)} "
        f"There are: {', '.join(offer.columns)}."
        for column in asked
        if column not in offer.columns
    ]


def classes_of(targets: Mapping[str, TargetSpec], have: Collection[str]) -> dict[str, dict[str, int]]:
    """Per target its classes' numbers, in their order; UserError for a class that the source never gives."""
    problems, numbers = [], {}
    for key, target in targets.items():
        if target.kind == "detection" and not target.classes:
            problems.append(f"target.{key}.classes is not given: detection needs its classes and their order.")
        for label in target.classes or ():
            if label not in have:
                near = did_you_mean(label, have)
                problems.append(f"target.{key}.classes: {label} is no class of data.source.classes.{near}")
        numbers[key] = {label: i for i, label in enumerate(target.classes or sorted(have))}
    if problems:
        raise UserError(*problems, f"Classes of the source: {_all(have) or 'none'}.")
    return numbers


def left_out(name: str, faults: Sequence[str], on_error: str, what: str) -> None:
    """Raise, or warn of, what had to be read to know the samples at all and could not be."""
    if faults and on_error == "error":
        more = [f"… and {len(faults) - 10} more."] if len(faults) > 10 else []
        raise UserError(*faults[:10], *more, f"Get them anew, or leave each such {what} out: data.on_error=skip.")
    if faults:
        log.warning("%s: %d %s(s) could not be read and were left out, first: %s", name, len(faults), what, faults[0])


def _all(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
