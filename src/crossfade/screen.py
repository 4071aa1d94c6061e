"""What is printed must not end a training: the screen, a pipe or a file of output may go away before the run does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TextIO


class Lasting:
    """A text stream that, once it cannot be written to, is written to no more; the program goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())  # what is still buffered goes there too
        os.close(null)
        if not isinstance(error, BrokenPipeError):  # `| head` has what it wanted
            print(f"Nothing more is printed: {error.strerror}.", file=sys.stderr)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lasting_output() -> Iterator[None]:
    """Within, sys.stdout is Lasting."""
    before = sys.stdout
    if before is None:  # started with a closed output
        yield
        return
    lasting = Lasting(before)
    sys.stdout = lasting
    try:
        yield
    finally:
        lasting.flush()
        sys.stdout = before


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """What is printed within stands in this file: the screen belongs to the whole sweep, not to one of its jobs."""
    with path.open("a", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        yield
