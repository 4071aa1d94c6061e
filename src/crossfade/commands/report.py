"""`crossfade report run=FOLDER [output=FILE]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossfade.commands.arguments import given_run, read_arguments
from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import UserError

REQUIRED = {"run": "logs/runs/…"}
OPTIONAL = {"output": ""}
HELP = {"run": "the run's folder", "output": "where to write the page; report.html in the run's folder by itself"}


def main(arguments: Sequence[str]) -> None:
    """Write a run's page: tables, figures, mistakes with their inputs, cost, how to do it again."""
    if wants_help(arguments):
        show_usage("report", "Write one self-contained HTML page about a run.", REQUIRED, OPTIONAL, HELP)
        return
    given = read_arguments("report", arguments, REQUIRED, OPTIONAL)
    problems: list[str] = []
    output = Path(given["output"]).expanduser() if given["output"] else None
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        problems.append(f"output={output}: the page is HTML; give a name that ends with .html.")
    folder = given_run(given["run"], problems)
    if problems:
        raise UserError(*problems)

    from crossfade.report.build import write_report
    from crossfade.runs import RunFolder

    print(write_report(RunFolder(folder), output or folder / "report.html"))
