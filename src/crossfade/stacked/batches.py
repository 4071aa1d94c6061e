"""The batches of n runs: each run's own samples in its own order, from tensors in memory."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from crossfade.batch import Batch
from crossfade.data.module import DataModule
from crossfade.data.order import Order
from crossfade.data.samples import Samples
from crossfade.stacked.stack import NotStackable


class Batches:
    """Batches of all members at once, with the members along the first axis where they see different samples.

    The tensors of different data sets lie one after another, so that a batch of all members is one `index_select`.
    An order of samples is the one of a run alone (`data.order`); `limit` is `trainer.limit_batches`. Raises
    NotStackable where tensors are not in memory, or not of one shape.
    """

    def __init__(self, data: Sequence[DataModule], modalities: Sequence[str], limit: int | None, device: torch.device):
        self.limit, self.device, self.data = limit, device, list(data)
        stores = list({id(d.samples): d.samples for d in data}.values())
        self.start = dict(zip(map(id, stores), itertools.accumulate(map(len, stores), initial=0), strict=False))
        self.features = {
            name: (
                self._joined([s.features[name][0] for s in stores]),
                self._joined([s.features[name][1] for s in stores]),
            )
            for name in modalities
            if name in stores[0].features
        }
        self.inputs = {
            name: self._joined([_kept(s, name) for s in stores]) for name in modalities if name not in self.features
        }
        if len(sizes := {min(d.batch_size, len(d.split["train"])) for d in data}) > 1:
            raise NotStackable(f"their training splits, smaller than a batch, are of different sizes: {sorted(sizes)}")
        self.presence = self._joined([s.present for s in stores])
        self.truth = {name: self._joined([s.truth[name] for s in stores]) for name in stores[0].truth}
        self.ids = [id_ for s in stores for id_ in s.frame.ids]

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        if len({part.shape[1:] for part in parts}) > 1:
            raise NotStackable(
                f"their samples' tensors are of different shapes ({', '.join(str(tuple(p.shape[1:])) for p in parts)})"
            )
        return (parts[0] if len(parts) == 1 else torch.cat(list(parts))).to(self.device)

    def to(self, dtype: torch.dtype) -> None:
        """Numbers in this precision, as a run alone converts its batches."""

        def converted(x: Tensor) -> Tensor:
            return x.to(dtype) if x.is_floating_point() else x

        self.inputs = {name: converted(x) for name, x in self.inputs.items()}
        self.truth = {name: converted(x) for name, x in self.truth.items()}
        self.features = {name: (converted(x), mask) for name, (x, mask) in self.features.items()}

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these members alone."""
        self.data = [self.data[j] for j in rows]

    def steps(self) -> list[int]:
        """Batches of each member's epoch."""
        return [min(len(self._order(d, 0)), self.limit or len(d.samples)) for d in self.data]

    def _order(self, data: DataModule, epoch: int) -> Order:
        order = Order(data.split["train"], data.batch_size, True, data.seed)
        order.set_epoch(epoch)
        return order

    def epoch(self, epoch: int) -> Tensor:
        """Rows of the epoch's batches, (n, steps, B), or (1, steps, B) where all members see the same.

        A member with fewer batches than others repeats its last one in their place: it does not count.
        """
        steps = self.steps()
        found: dict[tuple[int, int, bytes], np.ndarray] = {}
        keys = []
        for data, own in zip(self.data, steps, strict=True):
            keys.append((id(data.samples), data.seed, data.split["train"].tobytes()))
            if keys[-1] not in found:
                rows = np.array(list(itertools.islice(self._order(data, epoch), own)), dtype=np.int64)
                more = np.repeat(rows[-1:], max(steps) - own, axis=0)
                found[keys[-1]] = np.concatenate([rows, more]) + self.start[id(data.samples)]
        return self._rows(found, keys)

    def validation(self) -> tuple[Tensor, list[int]]:
        """Rows of the validation split, (n or 1, N), and how many of them are each member's own: the rest repeat."""
        found: dict[tuple[int, int, bytes], np.ndarray] = {}
        keys, counts = [], []
        for data in self.data:
            rows = data.split["val"][: self.limit * data.batch_size if self.limit else None]
            keys.append((id(data.samples), 0, rows.tobytes()))
            counts.append(len(rows))
            found[keys[-1]] = rows + self.start[id(data.samples)]
        most = max(counts)
        padded = {key: np.concatenate([rows, np.repeat(rows[:1], most - len(rows))]) for key, rows in found.items()}
        return self._rows(padded, keys), counts

    def _rows(self, found: dict[tuple[int, int, bytes], np.ndarray], keys: Sequence[tuple[int, int, bytes]]) -> Tensor:
        chosen = [found[key] for key in keys] if len(found) > 1 else list(found.values())
        return torch.from_numpy(np.stack(chosen)).to(self.device)

    def batch(self, rows: Tensor) -> tuple[Batch, bool]:
        """The samples of rows (n, B), tensors (n, B, …), and True; of (1, B) without the first axis, and False."""
        mapped = len(rows) > 1
        index = rows.reshape(-1)

        def of(x: Tensor) -> Tensor:
            found = x.index_select(0, index)
            return found.unflatten(0, rows.shape) if mapped else found

        features = {name: (of(tokens), of(mask)) for name, (tokens, mask) in self.features.items()}
        inputs = {name: of(x) for name, x in self.inputs.items()}
        truth = {name: of(x) for name, x in self.truth.items()}
        return Batch(inputs, of(self.presence), truth, [], features), mapped

    def truths(self, rows: Tensor) -> dict[str, Tensor]:
        """The truth of rows (n, N), (n, N, …)."""
        return {name: x.index_select(0, rows.flatten()).unflatten(0, rows.shape) for name, x in self.truth.items()}


def _kept(samples: Samples, name: str) -> Tensor:
    if name not in samples.kept:
        raise NotStackable(
            f"modality {name} is read from its files as it is needed; data.memory_gb is too small for it"
        )
    return samples.kept[name]
