"""Atomic writing: a file is either the old one or the whole new one, whenever the process is killed."""

from __future__ import annotations

import errno
import io
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` at once: temporary file in the same folder, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def disk_fault(error: BaseException) -> str:
    """Why the disk took no more, where that is behind this exception; else an empty string.

    torch.save answers a full disk with an error of its own, and keeps the system's as the context.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
            return seen.strerror or str(seen)
        seen = seen.__cause__ or seen.__context__
    return ""


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in UTF-8, at once."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as JSON, at once; NaN and ±inf, which JSON does not have, become null."""
    write_text(path, json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def npz(arrays: Mapping[str, Any]) -> bytes:
    """The content of a compressed .npz file that holds these arrays."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def read_json(path: Path) -> Any:
    """The value of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """A CSV as a table, its floats exact to the last digit."""
    import pandas as pd

    if int(pd.__version__.partition(".")[0]) < 3:  # later ones are exact by default
        options["float_precision"] = "round_trip"
    return pd.read_csv(path, **options)


def _plain(value: Any) -> Any:
    """Numpy scalars and arrays, paths, tuples and mappings as what JSON knows."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy and torch, without importing either
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
