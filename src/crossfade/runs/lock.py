"""One process per run folder."""

from __future__ import annotations

import errno
import fcntl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossfade.errors import UserError

_held: set[Path] = set()  # a process never conflicts with its own POSIX lock, so this process's are kept here


@contextmanager
def locked(folder: Path, message: str | None = None) -> Iterator[None]:
    """Hold the folder for this process alone; the system gives it back even after kill −9.

    A POSIX record lock: children forked for data loading do not inherit it. Raises UserError where another
    process (or this one) holds it, with this message.
    """
    path = (folder / ".lock").resolve()
    in_use = UserError(
        message
        or f"The run folder {folder} is in use: a run is being written there at this moment. "
        "Wait until it ends, stop it, or start a new run (leave out resume=)."
    )
    if path in _held:
        raise in_use
    with path.open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise in_use from error
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
                raise
            warnings.warn(
                f"{folder} lies on a file system without locks: see to it that one run at a time uses it",
                stacklevel=3,
            )
        _held.add(path)
        try:
            yield
        finally:
            _held.remove(path)


@contextmanager
def waiting_for(path: Path) -> Iterator[None]:
    """Hold a lock file, after waiting until nobody else does; without locks where the file system has none."""
    with path.open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
                raise
        yield
