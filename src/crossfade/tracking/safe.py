"""A logger that fails is switched off; the training goes on."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from pytorch_lightning.loggers import Logger

from crossfade.tracking.results import Results

log = logging.getLogger("crossfade")


class SafeLogger(Logger):
    """Passes everything on to `inner` until it raises once: then it says so, and stays silent."""

    def __init__(self, label: str, inner: Logger) -> None:
        super().__init__()
        self.label, self.inner, self.failed = label, inner, False

    def _guarded(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.failed:
            return None
        try:
            return call(*args, **kwargs)
        except Exception as error:  # whatever a service's client may raise; it is reported, and its logger ends
            self.failed = True
            log.warning(
                "Logger %s failed and is off for the rest of the run (%s: %s). The training goes on without it.",
                self.label,
                type(error).__name__,
                error,
            )
            return None

    @property
    def name(self) -> str:
        return self.label

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        self._guarded(self.inner.log_hyperparams, params, *args, **kwargs)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self._guarded(self.inner.log_metrics, metrics, step)

    def save(self) -> None:
        self._guarded(self.inner.save)

    def finalize(self, status: str) -> None:
        self._guarded(self.inner.finalize, status)

    def conclude(self, results: Results | None) -> None:
        """Hand on the results of the run, None of a failed one, where the logger takes any."""
        if (conclude := getattr(self.inner, "conclude", None)) is not None:
            self._guarded(conclude, results)
