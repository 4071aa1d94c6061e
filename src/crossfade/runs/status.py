"""What became of a run, as status.json tells it."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from crossfade.runs.files import read_json, write_json
from crossfade.runs.memory import MACHINE, REMEDY, Counter
from crossfade.runs.process import process_start

State = Literal["running", "finished", "failed", "interrupted", "pruned"]


@dataclass(frozen=True)
class Status:
    """State of a run; times are ISO 8601 in UTC; `process` tells apart processes of the same id.

    `kills`: how many processes this machine had killed for want of memory when the run began.
    """

    state: State
    pid: int
    process: str | None
    host: str
    started: str
    ended: str | None = None
    error: str | None = None
    kills: int | None = None

    @classmethod
    def of_this_process(cls) -> Status:
        """The status of a run that starts now, here."""
        pid = os.getpid()
        kills = Counter(MACHINE, True).read()
        return cls("running", pid, process_start(pid), socket.gethostname(), now(), kills=kills)

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
            return replace(status, state="interrupted", error=f"the process ended without a word ({status._guess()})")
        return status

    def _guess(self) -> str:
        """Why a process may have ended without a word. Who comes later knows no more than the machine's count."""
        now = Counter(MACHINE, True).read()
        booted = str(self.process).partition(":")[0]
        if now is None or self.kills is None or booted not in str(process_start(os.getpid())) or now <= self.kills:
            return "killed?"
        more = now - self.kills
        return (
            f"killed? Since it began this machine has killed {more} process{'es' * (more > 1)} for memory. If it was "
            f"one of them: {REMEDY[0].lower()}{REMEDY[1:]}"
        )


def now() -> str:
    """This moment in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
