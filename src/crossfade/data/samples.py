"""The one Dataset: reads a source's samples, transforms them, serves whole batches."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from crossfade.batch import Batch
from crossfade.data.source import Frame, Source
from crossfade.data.transforms import Transform
from crossfade.errors import ReadError, UserError

log = logging.getLogger("crossfade")


class Samples(Dataset[Batch]):
    """Samples of a source as batches: `samples[[3, 1, 7]]` is a Batch of those three.

    Reading all of them once (`prepare`) finds every value that cannot be read, before any training. What fits into
    `memory_gb` is kept as tensors, the rest is read again when needed.
    """

    def __init__(self, source: Source, frame: Frame, transforms: Mapping[str, Transform], memory_gb: float) -> None:
        self.source, self.frame = source, frame
        self.transforms = {name: transforms[name] for name in sorted(transforms)}
        self.memory_gb = memory_gb
        self.present = torch.zeros(len(frame.ids), len(self.transforms), dtype=torch.bool)
        self.read = self.present  # what was read, before any protocol of absence hid a part of it
        self.truth: dict[str, Tensor] = {}
        self.kept: dict[str, Tensor] = {}
        self.features: dict[str, tuple[Tensor, Tensor]] = {}
        self.known: dict[str, tuple[str, dict[str, np.ndarray]]] = {}  # the last features, with their key

    def __len__(self) -> int:
        return len(self.frame.ids)

    def prepare(self, train: Sequence[int], rows: Sequence[int], on_error: str, fit: bool) -> np.ndarray:
        """Read `rows` once, fit the transforms on `train` if asked, keep the tensors; return the rows that are usable.

        `on_error`: "error" raises at the end with all faults found, "skip" leaves the sample out, "absent" marks the
        modality absent. A sample without any modality is left out.
        """
        prepared: dict[str, dict[int, Any]] = {name: {} for name in self.transforms}
        faults: list[ReadError] = []
        skipped: set[int] = set()
        for i in rows:
            try:
                raw = self._read(i, on_error, faults)
            except ReadError as fault:
                faults.append(fault)
                skipped.add(i)
                continue
            for name, value in raw.items():
                prepared[name][i] = self.transforms[name].prepare(value)
                self.present[i, list(self.transforms).index(name)] = True
            if not raw:
                skipped.add(i)
        self.read = self.present.clone()
        self._report(faults, sorted(skipped), on_error)
        usable = np.array([i for i in rows if i not in skipped], dtype=np.int64)
        if fit:
            self._fit(prepared, set(train) - skipped)
        self._keep(prepared, usable)
        return usable

    def _read(self, i: int, on_error: str, faults: list[ReadError]) -> dict[str, Any]:
        """The raw values of a sample; with "absent", without the modalities that cannot be read."""
        lost: set[str] = set()
        while True:
            try:
                return {k: v for k, v in self.source.read(i, without=lost).items() if k not in lost}
            except ReadError as fault:
                if on_error != "absent" or fault.modality in lost:
                    raise
                faults.append(fault)
                lost.add(fault.modality)

    def _report(self, faults: list[ReadError], skipped: list[int], on_error: str) -> None:
        if faults and on_error == "error":
            shown = [str(f) for f in faults[:10]]
            more = [f"… and {len(faults) - 10} more."] if len(faults) > 10 else []
            raise UserError(
                *shown, *more, "Mend them, or go on without: data.on_error=skip leaves the samples out, "
                "data.on_error=absent marks only the modality absent.",
            )  # fmt: skip
        if faults:
            what = "marked absent" if on_error == "absent" else "left out"
            log.warning("%d value(s) could not be read and were %s, first: %s", len(faults), what, faults[0])
        if skipped:
            ids = ", ".join(self.frame.ids[i] for i in skipped[:10]) + (", …" if len(skipped) > 10 else "")
            log.warning("%d sample(s) left out: unreadable, or without any modality: %s.", len(skipped), ids)

    def _fit(self, prepared: dict[str, dict[int, Any]], train: set[int]) -> None:
        for name, transform in self.transforms.items():
            known = [prepared[name][i] for i in sorted(train) if i in prepared[name]]
            if not known:
                raise UserError(
                    f"modality {name}: absent from every sample of the training split. Leave it out "
                    "(task.modalities=[…]) or check its column."
                )
            transform.fit(known)

    def _keep(self, prepared: dict[str, dict[int, Any]], usable: np.ndarray) -> None:
        """Finish what fits into memory; the rows of unusable samples hold fillers."""
        budget = self.memory_gb * 2**30
        for name, transform in self.transforms.items():
            one = transform.finish([next(iter(prepared[name].values()), None)])
            size = one.nbytes * len(self)
            if size > budget:
                log.info(
                    "modality %s: %.1f GB do not fit into data.memory_gb, read when needed.",
                    name,
                    size / 2**30,
                )
                continue
            budget -= size
            self.kept[name] = torch.empty((len(self), *one.shape[1:]), dtype=one.dtype)
            for start in range(0, len(self), 256):
                part = range(start, min(start + 256, len(self)))
                self.kept[name][start : part.stop] = transform.finish([prepared[name].pop(i, None) for i in part])

    def of(self, modalities: Sequence[str]) -> Samples:
        """A view with these modalities only, sharing the tensors."""
        other = copy.copy(self)
        order = list(self.transforms)
        other.transforms = {name: self.transforms[name] for name in order if name in modalities}
        columns = [order.index(name) for name in other.transforms]
        other.present, other.read = self.present[:, columns], self.read[:, columns]
        other.kept = {name: kept for name, kept in self.kept.items() if name in modalities}
        other.features = {}
        return other

    def __getitem__(self, rows: Sequence[int]) -> Batch:
        index = torch.as_tensor(np.asarray(rows, dtype=np.int64))
        features = {
            name: (t.index_select(0, index), m.index_select(0, index)) for name, (t, m) in self.features.items()
        }
        inputs = {
            name: kept.index_select(0, index) for name, kept in self.kept.items() if name not in features
        } | self._late(rows, [name for name in self.transforms if name not in features], self.present)
        return Batch(
            inputs=inputs,
            presence=self.present.index_select(0, index),
            truth={name: truth.index_select(0, index) for name, truth in self.truth.items()},
            ids=list(map(self.frame.ids.__getitem__, rows)),
            features=features,
        )

    def values(self, name: str, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """What a modality's encoder takes of these samples, (n, …), and which of them have it, (n,), as read."""
        index = torch.as_tensor(np.asarray(rows, dtype=np.int64))
        there = self.read[index, list(self.transforms).index(name)]
        if name in self.kept:
            return self.kept[name].index_select(0, index), there
        return self._late(rows, [name], self.read)[name], there

    def _late(self, rows: Sequence[int], wanted: Sequence[str], present: Tensor) -> dict[str, Tensor]:
        """What was not kept, read now; `prepare` has seen that it can be read, and `present` what to leave out."""
        names = [name for name in wanted if name not in self.kept]
        if not names:
            return {}
        order = list(self.transforms)
        raws = []
        for i in rows:
            absent = {name for name in order if name not in names or not present[i, order.index(name)]}
            raws.append(self.source.read(i, without=absent))
        out = {}
        for name in names:
            transform = self.transforms[name]
            out[name] = transform.finish([transform.prepare(raw[name]) if name in raw else None for raw in raws])
        return out
