"""What a run of a stack says in its folder: a line in its log, and that it failed."""

from __future__ import annotations

import logging

from crossfade.runs import RunFolder
from crossfade.runs.log import log_failure, logging_to
from crossfade.runs.status import Status

log = logging.getLogger("crossfade")


def note(folder: RunFolder, text: str) -> None:
    """A line in the run's log."""
    with logging_to(folder.log_file):
        log.info(text)


def write_failure(folder: RunFolder, status: Status, error: Exception) -> None:
    """The run's status and log say that it failed."""
    with logging_to(folder.log_file) as handler:
        log_failure(handler, error)
    status.ending("failed", f"{type(error).__name__}: {error}").save(folder.status_file)
