"""A sweep as one self-contained page, with a CSV and a Markdown table: what is best, how sure that is, what matters."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from crossfade.errors import UserError

log = logging.getLogger("crossfade")


def report_of(path: Path) -> None:
    """Write the report at the end of a sweep and say where it is. A fault of the report never fails the sweep: it is
    printed, and `crossfade report sweep=…` shows it again with its stack trace."""
    again = f"crossfade report sweep={path}"
    try:
        from crossfade.sweeps.report.build import write_sweep_report

        print(f"Report:       {write_sweep_report(path)}", flush=True)
    except UserError as error:
        print(f"No report of the sweep: {error} Again: {again}", file=sys.stderr)
    except Exception as error:
        log.exception("the report of %s", path)
        print(
            f"No report of the sweep: {type(error).__name__}: {error}. With its stack trace: {again}", file=sys.stderr
        )


def ended(path: Path) -> None:
    """What stands at the end of every sweep, a search or not: its page, and how its offline W&B runs are sent."""
    report_of(path)
    if any(path.glob("wandb/offline-run-*")):
        print(f"Its W&B runs are offline. To send them all: wandb sync {path / 'wandb'}")
