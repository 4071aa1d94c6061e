"""`crossfade report run=FOLDER [full=true] [output=FILE]`, or sweep=FOLDER [metric=NAME] [output=FILE]."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from crossfade.commands.arguments import choice, given_run, read_arguments
from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import UserError

OPTIONAL = {"run": "", "sweep": "", "full": "false", "metric": "", "output": ""}
HELP = {
    "run": "a run's folder, for its page",
    "sweep": "a sweep's folder, for the page, table (CSV) and text (Markdown) of all its jobs",
    "full": "of a run: with `stress` and `explain` first, where they are lacking; of a sweep: a page of each run too",
    "metric": "of a sweep: another than the first target's main one",
    "output": "where to write the page; report.html in the folder by itself",
}


def main(arguments: Sequence[str]) -> None:
    """Write the page of a run (tables, figures, mistakes, cost) or of a sweep (landscape, ranking, what matters)."""
    if wants_help(arguments):
        show_usage("report", "Write one self-contained HTML page about a run or a sweep.", {}, OPTIONAL, HELP)
        return
    given = read_arguments("report", arguments, {}, OPTIONAL)
    problems = choice("full", given["full"], ["true", "false"])
    if given["run"] and given["sweep"]:
        problems.append("run= and sweep=: give one of them, a page is about a run or about a sweep.")
    elif not given["run"] and not given["sweep"]:
        problems.append("Nothing is given to report about. Give run=logs/runs/… or sweep=logs/sweeps/….")
    if given["metric"] and not given["sweep"]:
        problems.append("metric: only for sweep=, a run's page shows all of its metrics. Leave it out.")
    output = Path(given["output"]).expanduser() if given["output"] else None
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        problems.append(f"output={output}: the page is HTML; give a name that ends with .html.")
    folder = given_run(given["run"], problems) if given["run"] else Path(given["sweep"]).expanduser()
    if problems:
        raise UserError(*problems)

    if given["sweep"]:
        from crossfade.sweeps.report.build import write_sweep_report

        if given["full"] == "true":
            _pages(folder)
        print(write_sweep_report(folder, output, given["metric"] or None))
        return
    if given["full"] == "true":
        _complete(folder)
    from crossfade.report.build import write_report
    from crossfade.runs import RunFolder

    print(write_report(RunFolder(folder), output or folder / "report.html"))


def _pages(folder: Path) -> None:
    """The page of each finished run of a sweep that has none yet."""
    from crossfade.report.build import write_report
    from crossfade.runs import RunFolder
    from crossfade.sweeps.jobs import read_jobs

    for fit in (fit for job in read_jobs(folder) for fit in job.fits if fit.summary is not None):
        if not (page := fit.path / "report.html").exists():
            print(write_report(RunFolder(fit.path), page), flush=True)


def _complete(folder: Path) -> None:
    """Do what the page has a place for and nobody asked for yet, of a run that has a model to do it with."""
    from crossfade.commands import explain, stress
    from crossfade.runs import RunFolder

    run = RunFolder(folder)
    if not run.is_finished() or not run.preprocessing_file.exists():
        print("full=true: left out, the run is not finished or has folds.", file=sys.stderr)
        return
    if not any(folder.glob("robustness_*.csv")):
        stress.main([f"run={folder}"])
    if not (folder / "explain").exists():
        try:
            explain.main([f"run={folder}"])
        except UserError as error:  # of a target that has no one number to explain, or without its library
            print("Not explained: " + " ".join(error.problems), file=sys.stderr)
