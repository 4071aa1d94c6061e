"""From a sweep's folder to its page, sweep.csv and sweep.md."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from crossfade.analysis.results_table import short
from crossfade.errors import UserError, did_you_mean
from crossfade.report.facts import facts_of
from crossfade.report.page import page_of
from crossfade.runs import RunFolder, write_text
from crossfade.sweeps.jobs import Job, direction, read_jobs, sweep_settings
from crossfade.sweeps.load import table_of
from crossfade.sweeps.report import sections, tables
from crossfade.sweeps.report.sweep import Sweep


def write_sweep_report(path: Path, output: Path | None = None, metric: str | None = None) -> Path:
    """Write the page of the sweep in `path` (finished or not), sweep.csv and sweep.md beside it; return the page.

    `metric`: "<target>/<metric>" or one of the first target's; its main metric by itself. Raises UserError where the
    folder is no sweep, holds no jobs, or no run has this metric.
    """
    jobs = read_jobs(path)
    table = table_of(path, jobs)
    page = output or path / "report.html"
    chosen = _metric(table, metric)
    sweep = None if chosen is None else Sweep(path, jobs, table, chosen, _better(table, jobs, chosen))
    with tempfile.TemporaryDirectory() as place:
        contents = _contents(path, jobs, sweep, Path(place), page)
    write_text(page, page_of(contents))
    write_text(page.with_name("sweep.csv"), table.to_csv(index=False))
    write_text(page.with_name("sweep.md"), _markdown(path, jobs, sweep, contents))
    return page


def _metric(table: pd.DataFrame, wanted: str | None) -> str | None:
    """The metric's full name; None where nothing has finished. Raises UserError for one that no run has."""
    main: str | None = table.attrs["main"]
    if main is None:
        return None
    named = [str(c) for c in table if "/" in str(c) and not str(c).startswith("val/") and " " not in str(c)]
    known = [name for name in named if name not in table.attrs["varying"]]
    if wanted is None:
        return main
    for name in (wanted, f"{main.partition('/')[0]}/{wanted}"):
        if name in known:
            return name
    names = [name.removeprefix(f"{main.partition('/')[0]}/") for name in known]
    raise UserError(
        f"metric={wanted}: no run of the sweep has it.{did_you_mean(wanted, [*names, *known])} There are "
        f"{', '.join(names)}."
    )


def _better(table: pd.DataFrame, jobs: Sequence[Job], metric: str) -> str:
    if metric == table.attrs["main"]:
        return str(table.attrs["better"])
    return direction(
        metric, next(job.config for job in jobs if metric.partition("/")[0] in job.config.get("target", {}))
    )


def _contents(path: Path, jobs: Sequence[Job], sweep: Sweep | None, place: Path, page: Path) -> dict[str, Any]:
    """What page.html is filled with."""
    environment = next((e for job in jobs if (e := RunFolder(job.path).environment())), {})
    states = Counter(job.state for job in jobs)
    unfinished = [f"{n} {state}" for state, n in sorted(states.items()) if state != "finished"]
    found: dict[str, Any] = {
        "title": f"Sweep {path.resolve().name}",
        "subtitle": _subtitle(jobs, sweep),
        "warnings": [f"Of {len(jobs)} jobs {', '.join(unfinished)}: see the end of this page."] if unfinished else [],
        "numbers": [],
        "verdicts": [],
        "sections": [],
        "command": tables.sweep_command(sweep_settings(path), environment, jobs),
        "facts": facts_of(environment),
    }
    if sweep is not None:
        if not sweep.settings:
            raise UserError(f"metric={sweep.metric}: not defined in any finished run of {path}.")
        found |= {"numbers": list(_numbers(sweep, states)), "verdicts": sweep.verdicts}
        found["sections"] = list(sections.of(sweep, place, page))
    found["sections"] += list(sections.of_jobs(jobs, page))
    return found


def _subtitle(jobs: Sequence[Job], sweep: Sweep | None) -> str:
    if sweep is None:
        return f"{len(jobs)} jobs, none of them finished"
    rows = sweep.table[sweep.table["state"] == "finished"]
    parts = [
        ", ".join(dict.fromkeys(str(job.config["task"]["name"]) for job in jobs if job.config)),
        ", ".join(sweep.table.attrs["modalities"]),
        f"{len(jobs)} jobs",
        f"{len(sweep.settings)} settings",
        f"{rows['seed'].nunique()} seeds" + (f" × {n} folds" if (n := rows["fold"].nunique()) else ""),
        f"by {sweep.spoken} of {sweep.target}, {'more' if sweep.better == 'max' else 'less'} is better",
    ]
    return " · ".join(parts)


def _numbers(sweep: Sweep, states: Counter[str]) -> Iterator[tuple[str, str, str]]:
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
    yield "jobs", f"{states['finished']} of {states.total()}", "finished"


def _markdown(path: Path, jobs: Sequence[Job], sweep: Sweep | None, contents: dict[str, Any]) -> str:
    """Sentences, the ranking, the optimum of each curve, and the command."""
    parts = [f"# {contents['title']}\n", f"{contents['subtitle']}\n", *(f"{text}\n" for text in contents["warnings"])]
    if sweep is not None:
        parts += ["".join(f"- {text}\n" for text in sweep.verdicts)]
        parts += [tables.markdown(*tables.ranking_table(sweep.ranking, sweep.spoken))]
        if sweep.landscape is not None:
            parts += [tables.markdown(*tables.landscape_table(sweep.landscape))]
    parts += ["".join(f"    {line}\n" for line in contents["command"].splitlines())]
    return "\n".join(parts)
