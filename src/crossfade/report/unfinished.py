"""What there is to say of a run that has not come to its end."""

from __future__ import annotations

from collections.abc import Iterator

from crossfade.analysis.metric_names import printed_metric
from crossfade.analysis.results_table import short
from crossfade.report.section import Section
from crossfade.report.table import folded, pre
from crossfade.runs import RunFolder

LINES = 30  # of its log


def state_of(folder: RunFolder) -> str:
    """What became of the run, why as far as it is known, and how to go on."""
    if not folder.status_file.exists():
        return f"This run is not finished (status: not started). Go on with it: resume={folder.path}"
    status = folder.status()
    why = f" It ended with: {status.error.rstrip('.')}." if status.error else ""
    when = f" at {status.ended}" if status.ended else ""
    go_on = (
        f"It still runs on {status.host}, since {status.started}; write this page again later."
        if status.state == "running"
        else f"What there is of it stands below. Go on with it: resume={folder.path}"
    )
    return f"This run is not finished (status: {status.state}{when}).{why} {go_on}"


def epochs(folder: RunFolder, main: str) -> Iterator[tuple[str, str, list[str]]]:
    """How far it came, as large numbers."""
    if not folder.metrics_file.exists():
        return
    table = folder.metrics()
    yield "epochs finished", f"{int(table['epoch'].max()) + 1}", []
    for column in ("val/loss", f"val/{main}"):
        if column in table and (known := table[column].dropna()).size:
            yield f"validation {printed_metric(column)}", short(float(known.iloc[-1])), ["of the last epoch"]


def log_section(folder: RunFolder) -> Iterator[Section]:
    """The last lines of run.log."""
    lines = folder.log_file.read_text(encoding="utf-8").splitlines() if folder.log_file.exists() else []
    if lines:
        shown = pre("\n".join(lines[-LINES:]))
        yield Section(
            "Log", pieces=[folded(f"The last {min(LINES, len(lines))} lines", shown)], piece="part", where="run.log"
        )
