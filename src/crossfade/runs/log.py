"""run.log: what Python's logging and warnings say while a run is under way."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

# Lightning's loggers do not propagate to the root, so each gets the handler of its own
LOGGERS = ("crossfade", "pytorch_lightning", "lightning_fabric", "py.warnings")


class LogFile(logging.FileHandler):
    """A log that a full disk can only cut short: it raises nothing, and prints nothing of its own trouble."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        with suppress(OSError):  # it flushes what is left
            super().close()


@contextmanager
def logging_to(path: Path) -> Iterator[logging.Handler]:
    """Append records of `LOGGERS` from INFO on, and warnings, to `path`; the screen stays as it was."""
    handler = LogFile(path, encoding="utf-8")
    handler.setLevel(logging.INFO)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    shown = warnings.showwarning

    def showwarning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        shown(message, category, filename, lineno, file, line)
        handler.handle(
            _record(logging.WARNING, warnings.formatwarning(message, category, filename, lineno, line).strip())
        )

    added: list[tuple[logging.Logger, logging.Handler]] = []
    for logger in loggers:
        if not logger.hasHandlers() and logging.lastResort is not None:
            # Python shows the warnings of a logger that has no handler, and would stop now that it has one
            added.append((logger, logging.lastResort))
        added.append((logger, handler))
    for logger, one in added:
        logger.addHandler(one)
    for logger in loggers:
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
    warnings.showwarning = showwarning
    try:
        yield handler
    finally:
        warnings.showwarning = shown
        for logger, one in added:
            logger.removeHandler(one)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        handler.close()


def log_failure(handler: logging.Handler, error: BaseException) -> None:
    """Write an exception with its stack trace to the log only: whoever called shows it on the screen."""
    record = _record(logging.ERROR, f"{type(error).__name__}: {error}")
    record.exc_info = (type(error), error, error.__traceback__)
    handler.handle(record)


def _record(level: int, message: str) -> logging.LogRecord:
    return logging.LogRecord("crossfade", level, "", 0, message, (), None)
