"""Checkpoints: written whole or not at all, read as plain data."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from crossfade.errors import UserError
from crossfade.model import FusionModel


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside, flushes to disk, then renames: a kill in the middle leaves the previous checkpoint."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        final = Path(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        beside = final.with_name(f".{final.name}.{os.getpid()}.tmp")
        try:
            with beside.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, final)
        finally:
            beside.unlink(missing_ok=True)


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
    try:
        _check_sums(path)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, zipfile.BadZipFile, ValueError) as error:
        why = str(error).splitlines()[0].partition(". ")[0] if str(error) else type(error).__name__
        others = sorted(p.stem for p in path.parent.glob("*.ckpt") if p != path)
        raise UserError(
            f"{path}: not a readable checkpoint ({why}). It may be truncated; "
            f"use another one of this run: {', '.join(others) or 'none'}."
        ) from error
    if not isinstance(checkpoint, dict):
        raise UserError(f"{path}: holds a {type(checkpoint).__name__}, so it is no checkpoint of Crossfade's.")
    return checkpoint


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
