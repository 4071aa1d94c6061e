"""A source in memory: four kinds of modality, absences, and values that cannot be read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from crossfade.data.module import DataModule
from crossfade.data.source import Bound, Frame
from crossfade.data.transforms import make_transform
from crossfade.errors import ReadError
from crossfade.specs import ModalitySpec, TargetSpec

SPECS = {
    "labs": ModalitySpec(name="labs", kind="table", column=["age", "sex"], categorical=["sex"]),
    "note": ModalitySpec(name="note", kind="text", length=8),
    "power": ModalitySpec(name="power", kind="series", rate=1),
    "scan": ModalitySpec(name="scan", kind="image", size=8),
}
TARGETS = {
    "kind": TargetSpec(name="kind", kind="multiclass"),
    "size": TargetSpec(name="size", kind="regression", unit="mm"),
}


class Fake:
    """`broken` = {(sample, modality)} cannot be read; `absent` likewise are not there. `reads` counts the calls."""

    def __init__(
        self,
        samples: int = 40,
        broken: Collection[tuple[int, str]] = (),
        absent: Collection[tuple[int, str]] = (),
        unknown: Collection[int] = (),
    ) -> None:
        self.samples, self.broken, self.absent = samples, set(broken), set(absent)
        self.unknown = set(unknown)
        self.reads = 0

    def frame(self) -> Frame:
        present = np.array([[(i, m) not in self.absent for m in SPECS] for i in range(self.samples)])
        return Frame(
            ids=[f"P{i}" for i in range(self.samples)],
            groups=[f"G{i // 2}" for i in range(self.samples)],
            present=present,
            truth={
                "kind": [None if i in self.unknown else "ab"[i // 2 % 2] for i in range(self.samples)],
                "size": [None if i in self.unknown else float(i) for i in range(self.samples)],
            },
        )

    def value(self, i: int, modality: str) -> Any:
        rng = np.random.default_rng((i, len(modality)))
        if modality == "labs":
            return {"age": None if i % 5 == 0 else 40.0 + i, "sex": "mf"[i % 2]}
        if modality == "note":
            return f"patient {i} is {'well' if i % 2 else 'ill'}"
        if modality == "power":
            series = rng.normal(size=(4 + i % 3, 2)).astype(np.float32)
            series[0, 0] = np.nan
            return series
        return rng.normal(size=(1, 10, 10)).astype(np.float32)

    def read(self, index: int, without: Collection[str] = ()) -> dict[str, Any]:
        self.reads += 1
        out = {}
        for name in SPECS:
            if name in without or (index, name) in self.absent:
                continue
            if (index, name) in self.broken:
                raise ReadError(f"sample P{index}, modality {name}: file {index}.bin is broken.", name)
            out[name] = self.value(index, name)
        return out

    def bayes(self, target: str, modalities: Sequence[str]) -> Bound | None:
        return None

    def fingerprint(self) -> str:
        return "fake"


def data(source: Fake | None = None, modalities: Sequence[str] = tuple(SPECS), **fields: Any) -> DataModule:
    """A DataModule over a Fake, not yet prepared."""
    encoders = {"text": {"model": None, "vocabulary": 60}}
    transforms = {m: make_transform(SPECS[m], encoders.get(SPECS[m].kind, {})) for m in modalities}
    return DataModule(source or Fake(), transforms, TARGETS, **{"batch_size": 8, "split": (0.6, 0.2, 0.2), **fields})


def same(a: Any, b: Any) -> bool:
    """Whether two dicts of tensors are equal to the last bit, NaN equal to NaN."""
    return a.keys() == b.keys() and all(
        np.array_equal(a[k].numpy(), b[k].numpy(), equal_nan=a[k].is_floating_point()) for k in a
    )
