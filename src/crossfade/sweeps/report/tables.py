"""The report's tables, as HTML with links and as Markdown."""

from __future__ import annotations

import math
import os
import shlex
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from crossfade.analysis.results_table import short
from crossfade.sweeps.jobs import Job
from crossfade.sweeps.report.curves import Curve, Landscape
from crossfade.sweeps.report.ranking import Ranking
from crossfade.sweeps.report.settings import Estimate, Setting

Cells = list[list[str]]
REASON = 300  # letters of an error


def ranking_table(ranking: Ranking, metric: str) -> tuple[list[str], Cells]:
    """Headings and rows of the settings that stand against each other."""
    rows = [
        [label, value, "".join(ranking.letters[place]) if ranking.letters else "", *rest]
        for place, (label, value, *rest) in enumerate(map(_measures, ranking.settings))
    ]
    first, *others = _headings(metric)
    return ["", first, "group", *others], rows


def settings_table(settings: Sequence[Setting], metric: str, better: str) -> tuple[list[str], Cells, list[Setting]]:
    """All settings, the best test metric first; beside the rows the settings in their order."""
    ordered = sorted(settings, key=lambda s: -s.mean if better == "max" else s.mean)
    return ["", *_headings(metric)], [_measures(s) for s in ordered], ordered


def _headings(metric: str) -> list[str]:
    costs = ["parameters", "FLOPs", "train [s]", "latency [ms]"]
    return [f"{metric} [95 %]", "± sd", "validation", "runs", *costs]


def _measures(setting: Setting) -> list[str]:
    values = list(setting.test.values())
    e = setting.estimate
    sd = short(statistics.stdev(values)) if len(values) > 1 else "–"
    validation = short(setting.chosen_by) if not math.isnan(setting.chosen_by) else "–"
    return [
        setting.label,
        short(e.mean) + interval(e.low, e.high),
        sd,
        validation,
        str(len(values)),
        count(setting.over_repeats("parameters")),
        count(setting.over_repeats("flops")),
        number(setting.over_repeats("seconds")),
        number(setting.over_repeats("milliseconds")),
    ]


def landscape_table(landscape: Landscape, learned: str = "learned α", there: str = "there") -> tuple[list[str], Cells]:
    """A row per curve: where it is best, how sure, how flat, and what was learned, under the headings given."""
    rows = [_curve(panel.title, curve) for panel in landscape.panels for curve in panel.curves]
    titled = any(panel.title for panel in landscape.panels)
    headings = ["", "best α", "95 % interval", "there", "not distinguishable", "flat over", learned, there]
    return ["", *headings] if titled else headings, rows if titled else [row[1:] for row in rows]


def _curve(title: str, curve: Curve) -> list[str]:
    cells = [title, curve.strategy]
    if curve.best is None:
        cells += ["–", "no shared repeats", "–"]
    else:
        b = curve.best
        cells += [short(b.alpha, 2), "–" if math.isnan(b.low) else f"{short(b.low, 2)} to {short(b.high, 2)}"]
        cells.append(short(b.value))
    if curve.flat is None:
        cells += ["–", "–"]
    else:
        cells += [f"{short(curve.flat[0], 2)} to {short(curve.flat[1], 2)}", short(curve.flat[1] - curve.flat[0], 2)]
    found: Estimate | None = curve.learned_alpha
    if found is None or curve.learned is None:
        return [*cells, "–", "–"]
    return [*cells, short(found.mean) + interval(found.low, found.high), short(curve.learned.mean)]


def interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f" [{short(low)}, {short(high)}]"


def number(value: float) -> str:
    """Three digits that say something; – for none."""
    return "–" if math.isnan(value) else f"{value:.3g}"


def count(value: float) -> str:
    """9,876; 10.1 k; 1.23 M; 4.56 G; – for none."""
    if math.isnan(value):
        return "–"
    if value < 1e4:
        return f"{value:,.0f}"
    size, sign = next((size, sign) for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if value >= size)
    return f"{value / size:.3g} {sign}"


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as a Markdown table."""
    rules = ["---", *["---:"] * (len(headings) - 1)]
    lines = [headings, rules, *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def named(setting: Setting) -> Markup:
    """A setting's label: its strategy, and in small what else it is set to."""
    rest = setting.label.removeprefix(setting.strategy).strip()
    small = Markup('<br><small class="faint">{}</small>').format(rest) if rest else ""
    return Markup("{}{}").format(setting.strategy, small)


def links(setting: Setting, path: Path, page: Path) -> Markup:
    """Where each repeat's page is, seen from this page; the folder where there is no page yet."""
    found = []
    for (seed, fold), row in setting.rows.items():
        folder = path / str(row["folder"])
        text = f"seed {seed}" + (f", fold {fold}" if fold >= 0 else "")
        found.append(link(folder, text, page))
    return Markup(" · ").join(found)


def link(folder: Path, text: str, page: Path) -> Markup:
    there = folder / "report.html"
    at = there if there.is_file() else folder
    address = Path(os.path.relpath(at.absolute(), page.absolute().parent)).as_posix()
    faint = "" if at == there else ' class="faint"'
    return Markup('<a href="{}"' + faint + ">{}</a>").format(quote(address), text)


def unfinished(jobs: Sequence[Job], page: Path) -> Iterator[list[Any]]:
    """A row per job that has not finished: its folder, state and the reason."""
    for job in jobs:
        if job.state != "finished":
            error = " ".join((job.error or "–").split())
            where = link(job.path, job.path.name, page) if job.path.is_dir() else job.path.name
            yield [_wrapped(where), job.state, _wrapped(error if len(error) <= REASON else error[:REASON] + " …")]


def _wrapped(text: str | Markup) -> Markup:
    """A cell of several lines, where others have one."""
    return Markup('<div style="white-space: normal; text-align: left; max-width: 520px">{}</div>').format(text)


def command_of(job: Job) -> str:
    """What trains this job alone."""
    return shlex.join(["python", "train.py", *job.overrides])


def sweep_command(settings: Sequence[Sequence[str]], environment: Mapping[str, Any], jobs: Sequence[Job]) -> str:
    """The command lines that the sweep was started and grown with, as one would type them.

    From the ledger's settings; without a ledger from a job's environment, where the jobs ran in the sweep's process.
    """
    if settings:
        typed = [
            [t.lstrip("+") for t in command if not t.startswith("hydra.mode=")] for command in settings
        ]  # -m is that
        return "\n".join(shlex.join(["python", "train.py", "-m", *command]) for command in typed)
    program, *arguments = environment.get("command") or [""]
    if "-m" not in arguments and "--multirun" not in arguments:  # the jobs were started one by one
        return "\n".join(command_of(job) for job in jobs)
    start = ["python", program] if Path(program).name == "train.py" else ["crossfade", "train"]
    return shlex.join([*start, *(text.lstrip("+") for text in arguments)])
