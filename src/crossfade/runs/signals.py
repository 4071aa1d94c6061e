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
    """ "Ctrl-C" or "SIGTERM" where the exception comes from one, else None.

    Lightning turns a KeyboardInterrupt into SystemExit(1), and keeps it as the context.
    """
    if isinstance(error, Terminated):
        return "SIGTERM"
    if isinstance(error, KeyboardInterrupt):
        before = error.__cause__ or error.__context__
        return (before is not None and interruption(before)) or "Ctrl-C"
    if isinstance(error, SystemExit) and error.__context__ is not None:
        return interruption(error.__context__)
    return None
