"""From a sweep's folder to its page, sweep.csv and sweep.md."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

from crossfade.allowed import find_class
from crossfade.analysis.results_table import short
from crossfade.errors import UserError
from crossfade.report.page import page_of
from crossfade.runs import write_text
from crossfade.sweeps.jobs import read_jobs, remembered
from crossfade.sweeps.report import sections, tables
from crossfade.sweeps.report.subject import Contents, Subject
from crossfade.sweeps.report.sweep import Sweep


def write_sweep_report(path: Path, output: Path | None = None, metric: str | None = None) -> Path:
    """Write the page of the sweep in `path` (finished or not), sweep.csv and sweep.md beside it; return the page.

    A search has a page of its own kind (`Search.page`). `metric`: "<target>/<metric>" or one of the first target's; its
    main metric by itself. Raises UserError where the folder is no sweep, holds no jobs, or no run has this metric.
    """
    jobs = read_jobs(path)
    page = output or path / "report.html"
    search = remembered(path, "search")
    with tempfile.TemporaryDirectory() as place:
        subject = Subject(path, jobs, metric, Path(place), page)
        contents = find_class(search["_target_"]).page(subject, search) if search else _contents(subject)
    write_text(page, page_of(contents))
    write_text(page.with_name("sweep.csv"), subject.table.to_csv(index=False))
    write_text(page.with_name("sweep.md"), _markdown(contents))
    return page


def _contents(subject: Subject) -> Contents:
    found = subject.frame("Sweep")
    found["subtitle"] = f"{len(subject.jobs)} jobs, none of them finished"
    if subject.metric is not None:
        sweep = Sweep(subject.path, subject.jobs, subject.table, subject.metric, subject.better)
        if not sweep.settings:
            raise UserError(f"metric={sweep.metric}: not defined in any finished run of {subject.path}.")
        found |= {
            "subtitle": _subtitle(subject, sweep),
            "numbers": list(_numbers(subject, sweep)),
            "verdicts": sweep.verdicts,
            "sections": list(sections.of(sweep, subject.place, subject.page)),
        }
        found["tables"] = [tables.ranking_table(sweep.ranking, sweep.spoken)]
        if sweep.landscape is not None:
            found["tables"].append(tables.landscape_table(sweep.landscape))
    found["sections"] += list(sections.of_jobs(subject.jobs, subject.page))
    return found


def _subtitle(subject: Subject, sweep: Sweep) -> str:
    rows = sweep.table[sweep.table["state"] == "finished"]
    parts = [
        subject.task,
        f"{len(subject.jobs)} jobs",
        f"{len(sweep.settings)} settings",
        f"{rows['seed'].nunique()} seeds" + (f" × {n} folds" if (n := rows["fold"].nunique()) else ""),
        f"by {sweep.spoken} of {sweep.target}, {'more' if sweep.better == 'max' else 'less'} is better",
    ]
    return " · ".join(parts)


def _numbers(subject: Subject, sweep: Sweep) -> Iterator[tuple[str, str, str]]:
    best = sweep.ranking.settings[0]
    e = best.estimate
    yield "best", short(e.mean), best.label + tables.interval(e.low, e.high)
    if sweep.single is not None:
        single = sweep.single.estimate
        yield (
            "best single modality",
            short(single.mean),
            sweep.single.strategy + tables.interval(single.low, single.high),
        )
    if not math.isnan(sweep.bound):
        yield "Bayes bound", short(sweep.bound), "the best that the data allow"
    yield "jobs", f"{subject.states['finished']} of {subject.states.total()}", "finished"


def _markdown(contents: Contents) -> str:
    """Sentences, the foremost tables, and the command."""
    parts = [f"# {contents['title']}\n", f"{contents['subtitle']}\n", *(f"{text}\n" for text in contents["warnings"])]
    parts += ["".join(f"- {text}\n" for text in contents["verdicts"])]
    parts += [tables.markdown(headings, rows) for headings, rows in contents["tables"]]
    parts += ["".join(f"    {line}\n" for line in contents["command"].splitlines())]
    return "\n".join(parts)
