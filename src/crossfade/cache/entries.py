"""What lies in the cache: features of frozen encoders, and rendered data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crossfade.cache.arrays import SUFFIX, Damaged, read_header
from crossfade.cache.store import remove_abandoned

KINDS = ("features", "data")
FEATURES = "features"  # the folder of the former; each task has one with its rendered data


@dataclass(frozen=True)
class CacheEntry:
    """One file: kind, what it is of, which encoder made it, from which data, how many samples, shape of one of them.

    `size` in bytes; `used` in s since 1970, when it was last read or written.
    """

    kind: str
    path: Path
    size: int
    used: float
    what: str = ""
    encoder: str = ""
    data: str = ""
    samples: str = ""
    shape: str = ""


def entries(root: Path, kinds: Sequence[str] = KINDS) -> list[CacheEntry]:
    """What lies under the cache's folder, used last first; files that are none of ours are left alone."""
    found = []
    if "features" in kinds:
        found += [_features(path) for path in sorted((root / FEATURES).glob(f"*{SUFFIX}"))]
    if "data" in kinds:
        found += [_rendered(path) for path in sorted(root.glob("*/*.npz")) if path.parent.name != FEATURES]
    return sorted((entry for entry in found if entry is not None), key=lambda entry: -entry.used)


def clear(root: Path, kinds: Sequence[str] = KINDS, older_than: float = 0.0) -> list[CacheEntry]:
    """Delete the entries that were not used for `older_than` days; those that are gone.

    A run that has one open keeps it until it ends. Raises OSError where the folder is not ours to change.
    """
    last = time.time() - older_than * 86400
    gone = []
    for entry in entries(root, kinds):
        if entry.used <= last:
            entry.path.unlink(missing_ok=True)
            gone.append(entry)
    if "features" in kinds:
        remove_abandoned(root / FEATURES)
    return gone


def _features(path: Path) -> CacheEntry | None:
    with suppress(OSError):
        status = path.stat()
        try:
            about, layout, _ = read_header(path)
        except Damaged as fault:
            return CacheEntry("features", path, status.st_size, status.st_mtime, what=f"damaged: {fault}")
        shape = " × ".join(map(str, layout.get("tokens", {}).get("shape", [])[1:]))
        said = {key: about.get(key, "") for key in ("what", "encoder", "data", "samples")}
        return CacheEntry("features", path, status.st_size, status.st_mtime, shape=shape, **said)
    return None


def _rendered(path: Path) -> CacheEntry | None:
    with suppress(OSError):
        status = path.stat()
        what = path.stem.rpartition("-")[0]
        return CacheEntry("data", path, status.st_size, status.st_mtime, what=what, data=path.parent.name)
    return None
