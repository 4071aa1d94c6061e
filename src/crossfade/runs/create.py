"""Make a new run folder, and find out before training that it can be written to."""

from __future__ import annotations

import os
import re
import shutil
from datetime import datetime
from itertools import count
from pathlib import Path

from crossfade.errors import UserError
from crossfade.runs.folder import RunFolder

LEAST_FREE = 50 * 2**20  # bytes: checkpoints of the smallest model, predictions and logs
PROBE = 2**20  # bytes written and removed again, for quotas and read-only mounts that show no other sign

_MEND = "Choose another folder: hydra.run.dir=/path/with/space"


def new_folder(parent: Path, name: str) -> RunFolder:
    """Make `<parent>/<YYYY-MM-DD_HH-MM-SS>_<name>` (local time) and return it.

    Runs that start in the same second get `…-2`, `…-3`: the folder is made exclusively, so no two share one.
    Raises UserError where the folder cannot be made or written to, or its disk has less than 50 MB left.
    """
    parent = Path(parent)
    _make(parent)
    stem = f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{_safe(name)}"
    for number in count(1):
        path = parent / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"Cannot make a run folder in {parent}: {_why(error)}. {_MEND}") from error
        _probe(path)
        return RunFolder(path)
    raise AssertionError("count() never ends")


def usable(path: Path) -> None:
    """Make a run's or a sweep's folder at the very place that the user wants. Raises UserError as `new_folder` does."""
    new = not path.exists()
    _make(path)
    _probe(path, new)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise UserError(f"Cannot make the log folder {folder}: {_why(error)}. {_MEND}") from error
    if free < LEAST_FREE:
        raise UserError(
            f"The disk of the log folder {folder} is full: {free / 2**20:.0f} MB are free, "
            f"a run needs at least {LEAST_FREE / 2**20:.0f} MB. Free some space. {_MEND}"
        )


def _probe(path: Path, new: bool = True) -> None:
    probe = path / ".probe"
    try:
        with probe.open("wb") as file:
            file.write(bytes(PROBE))
            file.flush()
            os.fsync(file.fileno())
        probe.unlink()
    except OSError as error:
        probe.unlink(missing_ok=True)
        if new:
            shutil.rmtree(path, ignore_errors=True)  # it holds nothing but the probe
        raise UserError(
            f"Cannot write to the log folder {path.parent if new else path}: {_why(error)}. {_MEND}"
        ) from error


def _safe(name: str) -> str:
    """The name as one folder's name on any file system: "medical/covid x" → "medical-covid-x"."""
    return re.sub(r"[^\w.=+-]+", "-", name).strip("-.")[:100] or "run"


def _why(error: OSError) -> str:
    return error.strerror or str(error)
