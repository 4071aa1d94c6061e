"""A folder of computed arrays that any number of processes share: made once, bounded in size, never trusted blindly."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from crossfade.cache.arrays import SUFFIX, Arrays, Damaged, packed, read, write

log = logging.getLogger("crossfade")

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
ABANDONED = 3600  # s without a write after which a half-written file has no writer any more


class Store:
    """Arrays by key, in `folder`, of `max_gb` (2³⁰ bytes) at most: the ones used longest ago make room.

    Nothing here stops a run: what cannot be read is made anew, what cannot be written is not kept, with a warning.
    """

    def __init__(self, folder: Path, max_gb: float) -> None:
        self.folder, self.limit = folder, round(max_gb * 2**30)

    def path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"

    def load(self, key: str) -> Arrays | None:
        """The arrays of this key, mapped; None where there are none, or damaged ones (removed, with a warning)."""
        path = self.path(key)
        try:
            found = read(path)
        except FileNotFoundError:
            return None
        except Damaged as fault:
            log.warning("The cached values in %s are damaged (%s); they are made anew.", path, fault)
            with suppress(OSError):
                path.unlink()
            return None
        except OSError as fault:
            log.warning("The cached values in %s cannot be read (%s); they are made anew.", path, fault)
            return None
        with suppress(OSError):  # where the folder is not ours to change, its owner's use counts
            os.utime(path)
        return found

    def fetch(
        self,
        key: str,
        about: Mapping[str, str],
        make: Callable[[Arrays | None], Arrays],
        enough: Callable[[Arrays], bool] = bool,
    ) -> Arrays:
        """What `load` finds, if it is `enough`, else what `make` makes of it (or of None), kept in its place.

        `make` may write into what it is given. A larger entry is a new file: who has the old one open keeps that.
        While one process makes it, the others wait. `about` is what the entry says of itself.
        """
        if (found := self.load(key)) is not None and enough(found):
            return found
        with self._alone(key) as writable:
            if writable and (found := self.load(key)) is not None and enough(found):
                return found  # another process has just made it
            made = make(found)
            if writable and self._save(key, made, about) and (kept := self.load(key)) is not None and enough(kept):
                return kept  # mapped: the memory is given back
            return made

    @contextmanager
    def _alone(self, key: str) -> Iterator[bool]:
        """Hold this key's lock, waiting for who holds it; False where the folder takes no files.

        The system takes the lock from a process that ends, however it ends, so none is ever stale.
        """
        path = self.folder / f".{key}.lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = _locked(path)
        except OSError as fault:
            self._not_kept(fault)
            yield False
            return
        with file:
            try:
                yield True
            finally:
                path.unlink(missing_ok=True)

    def _save(self, key: str, made: Arrays, about: Mapping[str, str]) -> bool:
        content = packed(made, about)
        size = sum(part.nbytes for part in content)
        if size > self.limit:
            log.warning(
                "%s: %.1f GB are more than features.max_gb=%g, so they are not cached but made for each run.",
                about.get("what", key), size / 2**30, self.limit / 2**30,
            )  # fmt: skip
            return False
        try:
            self._make_room(size, self.path(key))
            write(self.path(key), content)
        except OSError as fault:
            self._not_kept(fault)
            return False
        return True

    def _not_kept(self, fault: OSError) -> None:
        log.warning(
            "Features are not cached: %s takes no file (%s). $CROSSFADE_CACHE may name another folder.",
            self.folder,
            fault.strerror or fault,
        )

    def _make_room(self, size: int, instead: Path) -> None:
        """Delete what was used longest ago until `size` bytes fit in the place of `instead`, and what a killed writer
        has left."""
        remove_abandoned(self.folder)
        entries = []
        for path in set(self.folder.glob(f"*{SUFFIX}")) - {instead}:
            with suppress(FileNotFoundError):  # another process makes room too
                status = path.stat()
                entries.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, freed, path in sorted(entries):
            if total + size <= self.limit:
                break
            path.unlink(missing_ok=True)  # processes that have it mapped keep it until they end
            total -= freed
            log.info("Removed %s: the cache of features is full (features.max_gb).", path.name)


def remove_abandoned(folder: Path) -> int:
    """Delete files that a killed process left half-written; their bytes."""
    freed = 0
    for path in folder.glob(".*.part"):
        with suppress(FileNotFoundError):
            status = path.stat()
            if time.time() - status.st_mtime > ABANDONED:
                path.unlink()
                freed += status.st_size
    return freed


def _locked(path: Path) -> IO[str]:
    """The lock's file, opened and locked; waits for who holds it. Raises OSError where the folder takes no files."""
    while True:
        file = path.open("w")
        try:
            _lock(file.fileno())
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except FileNotFoundError:
            pass  # who held it has removed it: a newer file is the lock now
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: int) -> None:
    """flock, of this open file: threads exclude each other too. Goes on without where there are no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        if fault.errno in NO_LOCKS:
            return
        if fault.errno not in (errno.EACCES, errno.EAGAIN):
            raise
        log.info("Another process computes the same features; waiting for it.")
        fcntl.flock(file, fcntl.LOCK_EX)
