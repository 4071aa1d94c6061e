"""The table at the end of a sweep: each job's main metric, the best first, failed jobs last with their error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossfade.sweeps.ledger import Entry

LONGEST = 40  # jobs in the printed table
REASON = 120  # letters of an error, which was said whole when it came


@dataclass(frozen=True)
class Outcome:
    """What became of one job: the value of its main metric with its interval, or its error."""

    folder: Path
    metric: str = ""
    value: float | None = None
    interval: tuple[float, float] | None = None
    error: str | None = None
    higher_is_better: bool = True
    state: str = "failed"  # where there is an error

    @classmethod
    def of_folder(cls, folder: Path) -> Outcome:
        """Read from the job's summary.json; without one the job failed."""
        path = folder / "summary.json"
        if not path.is_file():
            return cls(folder, error="ended without a summary.json")
        summary = json.loads(path.read_text(encoding="utf-8"))
        interval = summary.get("interval")
        return cls(
            folder,
            summary["main"],
            summary["metrics"][summary["main"]],
            tuple(interval) if interval else None,
            higher_is_better=summary["higher_is_better"],
        )

    @classmethod
    def of_entry(cls, entry: Entry, place: Path) -> Outcome:
        """Of a job of the ledger in the sweep's folder `place`."""
        folder = place / entry.name
        if entry.state == "finished":
            return cls.of_folder(folder)
        return cls(folder, error=entry.error or entry.state, state=entry.state)


def ranked(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The best value first (the largest, or the smallest of an error), then those without one, in their order."""

    def rank(outcome: Outcome) -> tuple[bool, float]:
        if outcome.error is not None or outcome.value is None:
            return True, 0.0
        return False, -outcome.value if outcome.higher_is_better else outcome.value

    return sorted(outcomes, key=rank)


def show_table(outcomes: Sequence[Outcome], folder: Path) -> None:
    """Print the jobs' table and the sweep's folder."""
    metrics = sorted({outcome.metric for outcome in outcomes if outcome.metric})
    table = Table(title=f"{len(outcomes)} jobs", title_justify="left")
    table.add_column("job", overflow="fold")
    table.add_column(
        metrics[0].rpartition("/")[2].replace("_", " ") if len(metrics) == 1 else "main metric", justify="right"
    )
    table.add_column("95 % interval", justify="right", overflow="fold")
    good = [outcome for outcome in ranked(outcomes) if outcome.error is None]
    for outcome in [*good[:LONGEST], *(outcome for outcome in outcomes if outcome.error is not None)]:
        if outcome.error is not None:
            lines = outcome.error.splitlines() or ["unknown error"]
            first = shorten(lines[0], REASON, placeholder=" …")
            table.add_row(Text(outcome.folder.name), Text(outcome.state, style="red"), Text(first, overflow="fold"))
            continue
        name = f"{outcome.metric} " if len(metrics) > 1 else ""
        value = "–" if outcome.value is None else f"{outcome.value:.3f}"
        interval = "" if outcome.interval is None else "{:.3f} – {:.3f}".format(*outcome.interval)
        table.add_row(Text(outcome.folder.name), f"{name}{value}", interval)
    console = Console()
    console.print()
    console.print(table)
    if len(good) > LONGEST:
        console.print(f"and {len(good) - LONGEST} more, below these")
    console.print(f"Sweep folder: {folder}", highlight=False, markup=False, soft_wrap=True)
