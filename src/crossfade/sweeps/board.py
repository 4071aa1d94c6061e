"""One live table for a whole sweep: done, running, failed, the best so far, the time left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from crossfade.sweeps.table import Outcome, ranked

SHOWN = 8  # running jobs
REFRESH = 2  # a second


@dataclass
class Running:
    """A job that runs: since when, where, and of how many epochs."""

    folder: Path
    epochs: int
    since: float = field(default_factory=time.monotonic)


class Board:
    """Drawn again and again in a terminal; elsewhere a line for each job that ends. A context manager."""

    def __init__(
        self,
        total: int,
        done: int = 0,
        failed: int = 0,
        best: Outcome | None = None,
        read: Callable[[Path], Outcome] = Outcome.of_folder,
    ) -> None:
        self.console = Console()
        self.console.file = self.console.file  # the stream of now: jobs redirect sys.stdout
        self.total, self.done, self.failed, self.best = total, done, failed, best
        self.read = read  # what is shown of a job's folder, and ranked
        self.workers = 1
        self.running: dict[str, Running] = {}
        self._seconds: list[float] = []
        self._started = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Board:
        if self.console.is_terminal:
            self._live = Live(
                get_renderable=self._drawn,
                console=self.console,
                refresh_per_second=REFRESH,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def started(self, name: str, folder: Path, epochs: int) -> None:
        """A job runs from now on."""
        self.running[name] = Running(folder, epochs)

    def ended(self, name: str, state: str, error: str | None, seconds: float, label: str = "") -> None:
        """A job has ended: a failure is said at once, with where to read about it.

        `label` are the settings that vary; they are shown where the name, which is bounded, has lost some of them.
        """
        folder = self.running.pop(name).folder
        if state == "finished":
            self._finished(name, self.read(folder), seconds)
            return
        if state == "pruned":
            self.done += 1
            self.say(f"[{self.done + self.failed}/{self.total}] {name}  {error}")
            return
        if state == "failed":
            self.failed += 1
        if error in ("Ctrl-C", "SIGTERM"):
            return  # the whole sweep is stopped, and says so
        first = (error or "unknown error").splitlines()[0]
        log = folder / "run.log" if (folder / "run.log").exists() else folder / "output.log"
        told = f"{name} ({label})" if len(name) < len(label) + 3 else name
        self.console.print(Text(f"{state}: {told}: {first}", style="red"), Text(f"(see {log})"), soft_wrap=True)

    def say(self, text: str) -> None:
        """A line above the table."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _finished(self, name: str, outcome: Outcome, seconds: float) -> None:
        self.done += 1
        self._seconds.append(seconds)
        candidates = [outcome] if self.best is None else [self.best, outcome]
        self.best = ranked(candidates)[0]
        if self._live is None:
            left = f", about {_spoken(rest)} left" if (rest := self._left()) else ""
            value = "" if outcome.value is None else f"  {outcome.metric} {outcome.value:.3f}"
            self.say(f"[{self.done + self.failed}/{self.total}] {name}{value}  ({seconds:.1f} s{left})")

    def _left(self) -> float | None:
        """Seconds, by the mean of the jobs so far."""
        rest = self.total - self.done - self.failed
        if not self._seconds or not rest:
            return None
        return sum(self._seconds) / len(self._seconds) * rest / max(1, min(self.workers, rest))

    def _drawn(self) -> Group:
        failed = f", {self.failed} failed" if self.failed else ""
        left = self._left()
        head = Table.grid(padding=(0, 2))
        head.add_row(
            ProgressBar(total=self.total, completed=self.done + self.failed, width=28),
            Text(f"{self.done} of {self.total} done{failed}, {len(self.running)} running"),
            Text(_spoken(time.monotonic() - self._started), style="dim"),
            Text(f"~{_spoken(left)} left" if left is not None else "", style="dim"),
        )
        rows = Table.grid(padding=(0, 2))
        for name, job in list(self.running.items())[:SHOWN]:
            rows.add_row(
                Text(f"  {name}"),
                Text(_epoch(job.folder, job.epochs), style="cyan"),
                Text(_spoken(time.monotonic() - job.since), style="dim"),
            )
        if len(self.running) > SHOWN:
            rows.add_row(Text(f"  and {len(self.running) - SHOWN} more", style="dim"))
        lines: list[Table | Text] = [head, rows]
        if self.best is not None and self.best.value is not None:
            lines.append(Text(f"best so far: {self.best.metric} {self.best.value:.3f}  {self.best.folder.name}"))
        return Group(*lines)


def _epoch(folder: Path, epochs: int) -> str:
    """ "epoch 3/10" by the last line of the job's metrics."""
    try:
        with (folder / "metrics.csv").open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 4096))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return "starting"
    last = lines[-1].split(",")[0] if lines else ""
    return f"epoch {int(last) + 1}/{epochs}" if last.isdigit() else "starting"


def _spoken(seconds: float) -> str:
    """ "42 s", "3:20 min", "2:05 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"{int(minutes)}:{int(seconds % 60):02d} min"
    return f"{int(minutes // 60)}:{int(minutes % 60):02d} h"
