"""What became of a run, as status.json tells it."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from crossfade.runs.files import read_json, write_json
from crossfade.runs.process import process_start

State = Literal["running", "finished", "failed", "interrupted", "pruned"]


@dataclass(frozen=True)
class Status:
    """State of a run; times are ISO 8601 in UTC; `process` tells apart processes of the same id."""

    state: State
    pid: int
    process: str | None
    host: str
    started: str
    ended: str | None = None
    error: str | None = None

    @classmethod
    def of_this_process(cls) -> Status:
        """The status of a run that starts now, here."""
        pid = os.getpid()
        return cls("running", pid, process_start(pid), socket.gethostname(), now())

    def ending(self, state: State, error: str | None = None) -> Status:
        """This run's status when it ends now."""
        return replace(self, state=state, ended=now(), error=error)

    def save(self, path: Path) -> None:
        """Write status.json."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Status:
        """Read status.json; a run that says "running" though its process is dead was interrupted.

        Of a run on another machine nothing else is known than what the file says.
        """
        status = cls(**read_json(path))
        here = status.host == socket.gethostname()
        if status.state == "running" and here and process_start(status.pid) != status.process:
            return replace(status, state="interrupted", error="the process ended without a word (killed?)")
        return status


def now() -> str:
    """This moment in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
