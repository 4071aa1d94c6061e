"""The base DataModule: splits, transforms, loaders. A task's own DataModule adds what only it knows."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from crossfade.batch import Batch
from crossfade.data.absence.base import Absence, NoAbsence
from crossfade.data.absence.scores import truth_score, value_score
from crossfade.data.order import Order
from crossfade.data.samples import Samples
from crossfade.data.source import Source
from crossfade.data.splits import Split, inner_split, make_split
from crossfade.data.transforms import Transform
from crossfade.data.truths import Truths
from crossfade.errors import UserError
from crossfade.seeding import derived
from crossfade.specs import TargetSpec
from crossfade.targets import target_class
from crossfade.targets.base import some

log = logging.getLogger("crossfade")

SPLITS = ("train", "val", "test")


def whole_batch(batch: Batch) -> Batch:
    """The loader's collate function: `Samples` gives whole batches."""
    return batch


class Batches:
    """The samples' batches in this order, fetched in this process.

    What a DataLoader without workers does, without its 0.03 ms a batch: as long as 64 cached features take.
    """

    batch_sampler = None  # Lightning asks for it

    def __init__(self, samples: Samples, sampler: Order) -> None:
        self.samples, self.sampler = samples, sampler  # Lightning tells `sampler` the epoch

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.samples.__getitem__, self.sampler)


class DataModule(pl.LightningDataModule):
    """Serves a source's samples in train, val and test batches, split by group.

    `fitted` = {"modalities": {name: …}, "targets": {name: …}}, plain data: all that was learned from the training
    split. It is made by `prepare()`, or given when a run is reopened. Outputs of frozen encoders are kept on disk, up
    to `cache_gb` (2³⁰ bytes) of all runs'; None: they are not.
    """

    def __init__(
        self,
        source: Source,
        transforms: Mapping[str, Transform],
        targets: Mapping[str, TargetSpec],
        seed: int = 0,
        batch_size: int = 32,
        workers: int = 0,
        split: Sequence[float] = (0.7, 0.15, 0.15),
        fold: int | None = None,
        folds: int | None = None,
        inner_fold: int | None = None,
        inner_folds: int | None = None,
        on_error: str = "error",
        memory_gb: float = 4.0,
        absence: Absence | None = None,
        cache_gb: float | None = None,
    ) -> None:
        super().__init__()
        self.source, self.transforms, self.targets, self.seed = source, dict(transforms), dict(targets), seed
        self.batch_size, self.workers = batch_size, workers
        self.shares, self.fold, self.folds, self.on_error = split, fold, folds, on_error
        self.cache_gb = cache_gb
        self.inner_fold, self.inner_folds = inner_fold, inner_folds
        self.absence = absence or NoAbsence(tuple(sorted(transforms)))
        self.frame = source.frame()
        self.samples = Samples(source, self.frame, self.transforms, memory_gb)
        self.fitted: dict[str, Any] = {}
        self.split: Split = {}

    def prepare(self, fitted: dict[str, Any] | None = None) -> None:
        """Split, read every sample once, learn what the training split teaches (unless `fitted` is given).

        Raises UserError for whatever in the data would spoil the run: `Samples.prepare`, `make_split`, `Target.fit`.
        """
        if self.fitted:
            return
        known = np.array(
            [any(truth[i] is not None for truth in self.frame.truth.values()) for i in range(len(self.frame.ids))]
        )
        split = {name: rows[known[rows]] for name, rows in self.dealt().items()}
        rows = np.sort(np.concatenate([split[name] for name in SPLITS]))  # faults come in the table's order
        for name, transform in self.transforms.items():
            transform.fitted = fitted["modalities"][name] if fitted else {}
        train = split["train"].tolist()
        usable = set(self.samples.prepare(train, rows.tolist(), self.on_error, fit=fitted is None).tolist())
        self.split = {name: np.array([i for i in rows if i in usable], dtype=np.int64) for name, rows in split.items()}
        lost = [name for name, rows in self.split.items() if not len(rows)]
        if lost:
            raise UserError(f"After leaving out what cannot be used the {', '.join(lost)} split holds no sample.")
        targets = fitted["targets"] if fitted else {n: self._fit_target(n) for n in self.targets}
        for name, spec in self.targets.items():
            truth = self.samples.truth[name] = self._encode_truth(name, spec, targets[name])
            for part, rows in self.split.items():
                if lacking := target_class(spec).lacking(targets[name], truth[torch.from_numpy(rows)]):
                    log.warning(
                        "target.%s: no sample of %s in the %s split; its scores say nothing of them.",
                        name,
                        some(lacking),
                        part,
                    )
        self.fitted = {"modalities": {n: t.fitted for n, t in self.transforms.items()}, "targets": targets}
        for name in self.absence.splits:
            self._hide(name, np.random.default_rng(derived(self.seed, "absence", name)))

    def dealt(self) -> Split:
        """The samples of each split by their groups alone: nothing is read. Raises UserError as `make_split` does."""
        first = next(iter(self.targets))
        split = make_split(self.frame, first, self.shares, self.seed, self.fold, self.folds)
        if self.inner_fold is None or self.inner_folds is None:
            return split
        return inner_split(
            self.frame, first, split, self.shares, self.seed, self.fold, self.inner_fold, self.inner_folds
        )

    def _hide(self, split: str, rng: np.random.Generator) -> None:
        """Mark absent in one split what the protocol hides; the values stay, and nothing may look at them."""
        rows = self.split[split]
        index = torch.from_numpy(rows)
        # begins anew for each split: a modality then has one order of the classes in all of them
        order = np.random.default_rng(derived(self.seed, "absence"))
        scores = partial(self._score, rows=index, order=order)
        kept = self.absence.keep(self.samples.present[index].numpy(), scores, rng)
        self.samples.present[index] = torch.from_numpy(kept)

    def _score(self, of: str, rows: torch.Tensor, order: np.random.Generator) -> np.ndarray:
        """What absence may depend on, (n,): of the first target's truth ("label"), or of a modality's values."""
        if of == "label":
            truth = self.samples.truth[next(iter(self.targets))]
            # the classes of all splits: one that lacks the last of them must not draw another order
            classes = 0 if truth.is_floating_point() else int(truth.max()) + 1
            return truth_score(truth[rows], order, classes)
        if of not in self.samples.kept:
            raise UserError(
                f"absence.by=value: the values of {of} do not fit into data.memory_gb={self.samples.memory_gb:g}. "
                "Raise it, or let absence depend on the truth: absence.by=label."
            )
        score = value_score(self.samples.kept[of][rows], self.transforms[of].fitted.get("pad"))
        column = list(self.samples.transforms).index(of)
        return np.where(self.samples.present[rows, column].numpy(), score, np.nan)

    def _fit_target(self, name: str) -> dict[str, Any]:
        spec = self.targets[name]
        return target_class(spec).fit(spec, self._truths(name, self.split["train"]))

    def _encode_truth(self, name: str, spec: TargetSpec, fitted: dict[str, Any]) -> torch.Tensor:
        used = np.concatenate([self.split[s] for s in SPLITS])
        return target_class(spec).encode(spec, fitted, self._truths(name, np.arange(len(self.frame.ids)), used))

    def _truths(self, name: str, rows: np.ndarray, used: np.ndarray | None = None) -> Truths:
        return Truths(self.frame.truth[name], rows, rows if used is None else used, self.on_error)

    def of(self, modalities: Sequence[str]) -> DataModule:
        """The same prepared samples with these modalities only; nothing is read or learned again.

        Samples without any of them stay: a single modality is compared with the fused model on the same samples.
        """
        other = copy.copy(self)
        other.transforms = {name: self.transforms[name] for name in modalities}
        other.samples = self.samples.of(modalities)
        other.fitted = {
            **self.fitted,
            "modalities": {name: self.fitted["modalities"][name] for name in modalities},
        }
        return other

    def loader(
        self, split: str, shuffle: bool = False, rank: int = 0, world: int = 1, epoch: int = 0
    ) -> DataLoader[Batch] | Batches:
        """Batches of one split; without `shuffle` in the source's order. `epoch` is the first that is asked for."""
        order = Order(self.split[split], self.batch_size, shuffle, self.seed, rank, world)
        order.set_epoch(epoch)
        if not self.workers and not torch.cuda.is_available():
            return Batches(self.samples, order)
        # of its own: a loader draws a number when it starts, and a resumed run starts it at another moment
        generator = torch.Generator().manual_seed(derived(self.seed, "loader"))
        return DataLoader(
            self.samples,
            sampler=order,
            batch_size=None,
            num_workers=self.workers,
            collate_fn=whole_batch,  # type: ignore[arg-type]  # Lightning's stubs expect a list: there is none
            persistent_workers=self.workers > 0,
            generator=generator,
            pin_memory=torch.cuda.is_available(),
        )

    def train_dataloader(self) -> DataLoader[Batch] | Batches:
        t = self.trainer
        if t is None:
            return self.loader("train", shuffle=True)
        # workers fetch their first batches before Lightning tells a resumed run's sampler the epoch
        done = t.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined]  # of its annotation's subclass
        return self.loader("train", True, t.global_rank, t.world_size, done)

    def val_dataloader(self) -> DataLoader[Batch] | Batches:
        return self.loader("val")  # every rank sees all of it: the metrics need no exchange

    def test_dataloader(self) -> DataLoader[Batch] | Batches:
        return self.loader("test")
