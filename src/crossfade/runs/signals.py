"""SIGTERM (of a cluster, of `kill`) ends a run as cleanly as Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM was received. A KeyboardInterrupt, so that whatever handles Ctrl-C handles it too."""


@contextmanager
def terminable() -> Iterator[None]:
    """Turn SIGTERM into Terminated; only the first, as a second would break the clean-up."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread only, and lets no other one set a handler
        return
    seen = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        if not seen:
            seen = True
            raise Terminated("SIGTERM")

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def interruption(error: BaseException) -> str | None:
    """ "Ctrl-C" or "SIGTERM" where one is behind the exception, else None.

    Lightning turns a KeyboardInterrupt into SystemExit(1), and torch.save one within it into a RuntimeError of its
    own; both keep it as the context.
    """
    seen: BaseException | None = error
    found = None
    while seen is not None:
        if isinstance(seen, Terminated):
            return "SIGTERM"
        if isinstance(seen, KeyboardInterrupt):
            found = "Ctrl-C"
        seen = seen.__cause__ or seen.__context__
    return found
