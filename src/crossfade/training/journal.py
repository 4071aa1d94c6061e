"""What kill −9 must not take of a stacked run: its last whole epoch and its best, as raw numbers.

A checkpoint costs its making and its flush, for all runs of a stack more than a short epoch does. So an epoch's end
goes into checkpoints/.journal: a frame, then three places, of which one that holds neither the best epoch nor the last
is written next. A place counts if its checksum is right, so a kill in the middle of one leaves the epoch before.
Nothing is flushed to the disk: what a killed process has written, the kernel keeps. `settle` makes checkpoints of it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from crossfade.config import RunConfig
from crossfade.errors import UserError
from crossfade.runs import RunFolder
from crossfade.runs.lock import locked
from crossfade.training.checkpoint import AtomicCheckpointIO, stored
from crossfade.training.moment import Lengths, Moment, at_moment
from crossfade.training.watch import Watch

NAME = ".journal"
PLACES = 3
PAGE = 4096  # bytes; frame and heads are a line of JSON each, filled up to whole pages


class Journal:
    """Of one run, while a stack trains it; `names` are those of its trained numbers, a row of `values` (n, P)."""

    def __init__(self, folder: RunFolder, names: Sequence[str], lengths: Lengths, values: Tensor) -> None:
        self.path = folder.checkpoints / NAME
        self.path.parent.mkdir(parents=True, exist_ok=True)
        row = values[0].cpu().numpy()
        frame = {"names": list(names), "lengths": asdict(lengths), "dtype": row.dtype.name, "size": row.size}
        self.file = self.path.open("wb")
        self.start = self.file.write(_pages(frame))
        self.step = PAGE + 3 * row.nbytes
        self.last, self.best = (-1, -1), (-1, -1)  # place and epoch

    def write(self, moment: Moment, is_best: bool) -> None:
        """The run at the end of an epoch, which may be its best so far."""
        place = next(i for i in range(PLACES) if i not in (self.last[0], self.best[0]))
        last = (place, moment.epoch)
        best = last if is_best else self.best
        numbers = [x.cpu().numpy().data for x in (moment.values, moment.mean, moment.square)]
        head = {"epoch": moment.epoch, "steps": moment.steps, "best": best[1], "watch": asdict(moment.watch)}
        self.file.seek(self.start + place * self.step)
        self.file.write(_pages({**head, "sum": _checksum(head, numbers)}))
        for part in numbers:
            self.file.write(part)
        self.file.flush()
        self.last, self.best = last, best

    def end(self) -> None:
        """The run's checkpoints hold what this does."""
        self.file.close()
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Found:
    """What stands in a journal."""

    names: list[str]
    lengths: Lengths
    last: Moment
    best: Moment


def read(path: Path) -> Found | None:
    """The last epoch that was written whole, and the best until then; None where no epoch came to its end."""
    raw = path.read_bytes()
    line, ended, _ = raw.partition(b"\n")
    if not ended:
        return None  # killed while it was begun
    frame = json.loads(line)
    number = np.dtype(frame["dtype"])
    start, bytes_ = _whole_pages(len(line) + 1), 3 * frame["size"] * number.itemsize
    known: dict[int, tuple[Moment, int]] = {}
    for place in range(PLACES):
        at = start + place * (PAGE + bytes_)
        head, numbers = _head(raw[at : at + PAGE]), raw[at + PAGE : at + PAGE + bytes_]
        if head is None or head.pop("sum") != _checksum(head, [numbers]):
            continue
        values, mean, square = torch.from_numpy(np.frombuffer(numbers, number).reshape(3, -1).copy()).unbind()
        moment = Moment(head["epoch"], head["steps"], values, mean, square, Watch(**head["watch"]))
        known[moment.epoch] = moment, head["best"]
    for epoch in sorted(known, reverse=True):
        last, best = known[epoch]
        if best in known:
            return Found(frame["names"], Lengths(**frame["lengths"]), last, known[best][0])
    return None


def settle(config: RunConfig, folder: RunFolder) -> None:
    """Make best.ckpt and last.ckpt of the journal that a killed stack left in this folder, which the caller holds."""
    path, frame = folder.checkpoints / NAME, folder.checkpoints / "last.ckpt"
    if not path.exists():
        return
    if frame.exists() and (found := read(path)) is not None:  # else not one epoch was whole: it starts anew
        known = stored(frame)
        for name, moment in (("best", found.best), ("last", found.last)):
            checkpoint = at_moment(known, config, folder, found.names, moment, found.lengths)
            AtomicCheckpointIO().save_checkpoint(checkpoint, folder.checkpoints / f"{name}.ckpt")
    path.unlink(missing_ok=True)  # of several ranks each comes here


def settle_unless_held(config: RunConfig, folder: RunFolder) -> None:
    """`settle`, for who only reads the run. One that is trained at this moment has its checkpoints as they are."""
    if not (folder.checkpoints / NAME).exists():
        return
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder.path))
        except UserError:
            return
        settle(config, folder)


def _whole_pages(count: int) -> int:
    return -(-count // PAGE) * PAGE


def _pages(value: Mapping[str, Any]) -> bytes:
    line = json.dumps(value).encode() + b"\n"
    return line.ljust(_whole_pages(len(line)), b" ")


def _head(page: bytes) -> dict[str, Any] | None:
    """The head of a place; None where none was written yet, or only a part of it."""
    with suppress(ValueError):
        head = json.loads(page.partition(b"\n")[0])
        return head if isinstance(head, dict) else None
    return None


def _checksum(head: Mapping[str, Any], numbers: Sequence[Any]) -> int:
    found = zlib.crc32(json.dumps(head).encode())
    for part in numbers:
        found = zlib.crc32(part, found)
    return found
