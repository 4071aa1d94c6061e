"""How long a training has taken, also one that was interrupted: the seconds go with its checkpoints."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from crossfade.training.checkpoint import read_checkpoint


class Stopwatch(pl.Callback):
    """Keeps in each checkpoint the seconds of training up to it, those of earlier attempts included."""

    def __init__(self) -> None:
        self.before = 0.0
        self.since = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.before + time.monotonic() - self.since}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.before = float(state_dict["seconds"])


def seconds_before(checkpoint: Path) -> float:
    """Seconds that led to this checkpoint; 0 where there is none, or it was written by a stack."""
    if not checkpoint.exists():
        return 0.0
    found = read_checkpoint(checkpoint).get("callbacks", {}).get(Stopwatch.__qualname__, {})
    return float(found.get("seconds", 0.0))
