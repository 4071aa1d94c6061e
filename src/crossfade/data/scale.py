"""How large a modality's values are in the tensors that its encoder takes: the unit of what perturbs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from crossfade.data.module import DataModule
from crossfade.specs import ModalitySpec

# axes of a batch of tensors (n, …) over which a feature's mean and sd are taken: all but the feature's own
OVER: dict[str, tuple[int, ...]] = {
    "image": (0, 2, 3),
    "audio": (0, 1),
    "series": (0, 1),
    "points": (0, 1),
    "table": (0,),
}
CUT = 10.0  # a table's z-scores are cut off there by its transform


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each feature (channel, column) of one modality over the training split.

    Both have one sample's number of axes, to be broadcast: image (C, 1, 1), audio (1,), series (1, C), points (1, F),
    table (F,). A feature that cannot be moved by a little (a table's categories) or that never varies has sd 0.
    `limits` is what the transform lets through; None for everything.
    """

    spec: ModalitySpec
    mean: Tensor
    sd: Tensor
    limits: tuple[float, float] | None
    cardinality: tuple[int, ...] = ()  # of a table's columns, 0 for numbers

    def cut(self, x: Tensor) -> Tensor:
        """x within the limits; entries that are missing (NaN) stay so."""
        return x if self.limits is None else x.clamp(*self.limits)


def values_there(kind: str, x: Tensor) -> Tensor:
    """Which entries of a batch (n, …) hold a value: no missing entry, no padding; bool like x.

    A waveform ends with its last sample that is not 0.
    """
    if kind == "audio":
        return (x != 0).flip(-1).cumsum(-1).flip(-1) > 0
    return ~x.isnan()


def scales_of(data: DataModule, batch_size: int = 256) -> dict[str, Scale]:
    """The scale of every modality whose values are numbers, by name; text has none. One pass over the training split.

    Mean and sd are those of the values that are there, in samples that have the modality, in float64.
    """
    return {
        name: _scale(data, name, transform.spec, batch_size)
        for name, transform in data.transforms.items()
        if transform.spec.kind in OVER
    }


def _scale(data: DataModule, name: str, spec: ModalitySpec, batch_size: int) -> Scale:
    over = OVER[spec.kind]
    # of a modality that protocols of absence leave nowhere, all stays 0
    count = total = square = torch.zeros(1, dtype=torch.float64)
    for x in _values(data, name, batch_size):
        there = values_there(spec.kind, x)
        x = torch.where(there, x, 0.0).double()
        count = count + there.sum(over, keepdim=True)
        total = total + x.sum(over, keepdim=True)
        square = square + x.square().sum(over, keepdim=True)
    mean = total / count.clamp(min=1)
    sd = (square / count.clamp(min=1) - mean.square()).clamp(min=0).sqrt()
    sd = torch.where(sd > 1e-6 * mean.abs(), sd, 0.0)  # of a constant only rounding is left
    cardinality = tuple(data.transforms[name].fitted.get("cardinality", ()))
    if cardinality:
        sd = sd * (torch.tensor(cardinality) == 0)
    limits = {"image": (-1.0, 1.0) if spec.range is not None else None, "table": (-CUT, CUT)}.get(spec.kind)
    if limits is not None and any(cardinality):  # numbers of categories are no z-scores
        limits = (-CUT, max(CUT, *cardinality))
    return Scale(spec, mean[0].float(), sd[0].float(), limits, cardinality)


def _values(data: DataModule, name: str, batch_size: int) -> Iterator[Tensor]:
    """The modality's tensors of the training samples that have it, batch after batch."""
    alone = data.samples.of([name])
    rows = data.split["train"]
    rows = rows[alone.present[torch.from_numpy(rows), 0].numpy()]
    for start in range(0, len(rows), batch_size):
        yield alone[rows[start : start + batch_size].tolist()].inputs[name]
