"""The first function of a worker, in a module of its own: the parent names it without loading what it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def enter(
    config: Mapping[str, Any], folder: Path, given: Sequence[str], threads: int, gpus: Sequence[int] | None
) -> None:
    """See `worker.work`."""
    from crossfade.sweeps.launchers.worker import work

    work(config, folder, given, threads, gpus)
