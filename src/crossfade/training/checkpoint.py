"""Checkpoints: written whole or not at all, read as plain data."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from crossfade.errors import UserError
from crossfade.model import FusionModel

FROZEN = "frozen.pt"  # beside the checkpoints


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside, flushes to disk, then renames: a kill in the middle leaves the previous checkpoint.

    `frozen` names weights that no training changes: they are written once, into frozen.pt beside the checkpoints, and
    put back whenever one is read. A frozen BERT in every epoch's checkpoint took longer than a small model's epoch.
    """

    def __init__(self, frozen: Collection[str] = ()) -> None:
        self.frozen = frozenset(frozen)

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        final = Path(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        state = checkpoint.get("state_dict", {})
        apart = {name: value for name, value in state.items() if name in self.frozen}
        if apart:
            if not (final.parent / FROZEN).exists():
                _save(apart, final.parent / FROZEN)
            rest = {name: value for name, value in state.items() if name not in apart}
            checkpoint = {**checkpoint, "state_dict": rest, "frozen": list(apart)}
        _save(checkpoint, final)

    def load_checkpoint(self, path: Any, *args: Any, **options: Any) -> dict[str, Any]:
        return _with_frozen(super().load_checkpoint(path, *args, **options), Path(path))


def frozen_names(model: FusionModel) -> list[str]:
    """The names in a module's state of what belongs to frozen encoders."""
    frozen = [name for name, encoder in model.encoders.items() if getattr(encoder, "frozen", False)]
    still = tuple(f"encoders.{name}." for name in frozen)
    return [f"model.{name}" for name in model.state_dict() if name.startswith(still)] if still else []


def _save(value: dict[str, Any], final: Path) -> None:
    beside = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            torch.save(value, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, final)
    finally:
        beside.unlink(missing_ok=True)


def _with_frozen(checkpoint: Any, path: Path) -> Any:
    """The checkpoint with the weights that stand in frozen.pt beside it. Raises UserError where they do not."""
    if not isinstance(checkpoint, dict) or "frozen" not in checkpoint:
        return checkpoint
    names = checkpoint.pop("frozen")
    beside = path.parent / FROZEN
    if not beside.is_file():
        raise UserError(
            f"{path}: the weights of its frozen encoders stand in {beside}, which is not there. Restore it from a "
            "copy: a checkpoint is moved together with that file."
        )
    known = stored(beside)
    if lacking := [name for name in names if name not in known]:
        raise UserError(f"{beside}: holds no {lacking[0]}, so it is of another run than {path.name}.")
    return {**checkpoint, "state_dict": {**checkpoint["state_dict"], **{name: known[name] for name in names}}}


def clean(folder: Path) -> None:
    """Remove what a killed process left half-written."""
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's tensors and plain data; never runs code that stands in the file.

    Raises UserError when it is missing, truncated, or no checkpoint.
    """
    if not path.is_file():
        others = sorted(p.stem for p in path.parent.glob("*.ckpt"))
        raise UserError(f"{path}: no such checkpoint. This run has: {', '.join(others) or 'none yet'}.")
    checkpoint = stored(path)
    if not isinstance(checkpoint, dict):
        raise UserError(f"{path}: holds a {type(checkpoint).__name__}, so it is no checkpoint of Crossfade's.")
    return _with_frozen(checkpoint, path)


def stored(path: Path) -> Any:
    """What stands in this file, without the weights beside it. Raises UserError where it is damaged."""
    try:
        _check_sums(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, zipfile.BadZipFile, ValueError) as error:
        why = str(error).splitlines()[0].partition(". ")[0] if str(error) else type(error).__name__
        others = sorted(p.stem for p in path.parent.glob("*.ckpt") if p != path)
        raise UserError(
            f"{path}: not a readable checkpoint ({why}). It may be truncated; "
            f"use another one of this run: {', '.join(others) or 'none'}."
        ) from error


def _check_sums(path: Path) -> None:
    """torch does not look at the checksums that it writes: a changed byte would be a changed weight."""
    with zipfile.ZipFile(path) as archive:
        if (damaged := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"{damaged} does not have the bytes that were written")


def load_weights(model: FusionModel, path: Path) -> None:
    """Set the model's weights from a checkpoint. Raises UserError naming the first differences if it does not fit."""
    state = read_checkpoint(path).get("state_dict")
    if not isinstance(state, dict):
        raise UserError(f"{path}: holds no state_dict, so it is no checkpoint of Crossfade's.")
    prefix = "model."
    weights = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    own = model.state_dict()
    missing = sorted(own.keys() - weights.keys())
    extra = sorted(weights.keys() - own.keys())
    shapes = [
        f"{name} is {tuple(weights[name].shape)} there, {tuple(own[name].shape)} here"
        for name in sorted(own.keys() & weights.keys())
        if own[name].shape != weights[name].shape
    ]
    if missing or extra or shapes:
        differences = [f"only here: {n}" for n in missing] + [f"only there: {n}" for n in extra] + shapes
        raise UserError(
            f"{path}: a checkpoint of another architecture; {len(differences)} difference(s), first: "
            f"{'; '.join(differences[:3])}. Use the checkpoint of this run's own folder."
        )
    model.load_state_dict(weights)
