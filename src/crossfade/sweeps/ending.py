"""How a job of a sweep ended."""

from __future__ import annotations

from dataclasses import dataclass

from crossfade.errors import Pruned, UserError
from crossfade.runs.files import disk_fault
from crossfade.runs.memory import REMEDY, memory_fault
from crossfade.runs.signals import interruption
from crossfade.sweeps.ledger import State

FINISHED, FAILED, MISTAKE, PRUNED, DISK, INTERRUPTED = 0, 1, 2, 3, 74, 130  # a worker's exit codes


@dataclass(frozen=True)
class Ending:
    """`state`, why, and whether the whole sweep has to end with it: a full disk has no room for the next job."""

    state: State
    error: str | None = None
    stops: bool = False

    @classmethod
    def of(cls, error: BaseException) -> Ending:
        """What an exception that came out of a run means for its job."""
        if fault := disk_fault(error):
            return cls("interrupted", fault, stops=True)
        if cause := interruption(error):
            return cls("interrupted", cause, stops=True)
        if isinstance(error, Pruned):
            return cls("pruned", str(error))
        if not isinstance(error, UserError) and (fault := memory_fault(error)):
            return cls("failed", f"{fault}. {REMEDY}")
        return cls("failed", str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}")

    @property
    def code(self) -> int:
        """The exit code by which a worker tells its parent."""
        if self.state == "interrupted":
            return DISK if self.error not in ("Ctrl-C", "SIGTERM") else INTERRUPTED
        return {"finished": FINISHED, "pruned": PRUNED}.get(self.state, FAILED)
