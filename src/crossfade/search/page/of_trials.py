"""The page of `search=optuna` and `search=random`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from crossfade.analysis.results_table import short, spoken_metric
from crossfade.errors import UserError
from crossfade.report.section import Section
from crossfade.report.table import folded, html
from crossfade.search.page.found import Found, found_in
from crossfade.search.page.trial_figures import draw_front, draw_history, draw_shares, draw_slices
from crossfade.search.trials import SHOWN, Trial, command_of, test_of
from crossfade.sweeps.report import sections, tables
from crossfade.sweeps.report.parallel_figure import draw_parallel
from crossfade.sweeps.report.subject import Contents, Subject

REASON = 160  # letters of an error


def contents(subject: Subject, part: Mapping[str, Any]) -> Contents:
    """Everything on it. Of the test split there is the best trial's score alone: the others' would tempt to choose by
    them. Raises UserError for another metric than the one that was searched by."""
    found = found_in(subject, part)
    if subject.wanted is not None:
        raise UserError(
            f"metric={subject.wanted}: a search is looked at by what it searched by, {found.judge.monitor}. Leave it "
            "out; all metrics of all trials are in sweep.csv."
        )
    filled = subject.frame("Search")
    kind = "Optuna" if "sampler" in found.part else "random points"
    wanted = max(int(found.part["trials"]), len(found.trials))
    spoken = spoken_metric(found.judge.monitor)
    better = "more" if found.judge.direction == "max" else "less"
    how = f"{kind}{f' ({sampler})' if (sampler := found.part.get('sampler')) else ''}: {wanted} trials of"
    filled["subtitle"] = " · ".join(
        part
        for part in (
            subject.task,
            f"{how} {', '.join(found.space.keys)}",
            f"by validation {spoken}, {better} is better",
        )
        if part
    )
    if begun := [n for n in (wanted - len(found.trials), found.count("interrupted") + found.count("running")) if n > 0]:
        filled["warnings"].append(
            f"The search has not come to its end: {sum(begun)} of {wanted} trials are still to do. To go on: "
            f"crossfade sweep resume {subject.path}"
        )
    if not found.done:
        pruned = " All were pruned: take search.pruner=none." if found.count("pruned") == len(found.trials) > 0 else ""
        filled["warnings"].append(f"No trial has finished, so there is no best one.{pruned}")
    else:
        best_table = _best_table(found, spoken)
        filled |= {
            "numbers": list(_numbers(found, spoken, wanted)),
            "verdicts": list(_verdicts(found, spoken)),
            "sections": list(_sections(found, spoken, subject.place, best_table)),
            "tables": [best_table],
        }
    filled["sections"] = [*filled["sections"], _all(found, spoken, subject.page), *_rest(subject)]
    return filled


def _rest(subject: Subject) -> Iterator[Section]:
    yield from sections.of_jobs(subject.jobs, subject.page)


def _numbers(found: Found, spoken: str, wanted: int) -> Iterator[tuple[str, str, str]]:
    best = found.ranked[0]
    yield f"best validation {spoken}", short(best.values["metric"]), f"trial {best.number}; chosen by it, so optimistic"
    if (tested := test_of(best)) is not None and (value := tested[1]) is not None:
        metric, _, interval = tested
        yield f"its test {spoken_metric(metric)}", short(value), tables.interval(*interval).strip() if interval else ""
    if found.front:
        yield "Pareto front", str(len(found.front)), "trials that none beats in everything"
    rest = [f"{n} {state}" for state in ("pruned", "failed", "interrupted", "running") if (n := found.count(state))]
    yield "trials", f"{len(found.done)} of {wanted}", ", ".join(["finished", *rest])


def _verdicts(found: Found, spoken: str) -> Iterator[str]:
    best = found.ranked[0]
    value = short(best.values["metric"])
    text = (
        f"Trial {best.number} has the best validation {spoken}, {value}. That is the best of {len(found.done)} and "
        "chosen by it, and so optimistic: do not report it."
    )
    if (tested := test_of(best)) is not None and (score := tested[1]) is not None:
        metric, _, interval = tested
        reach = tables.interval(*interval) if interval else ""
        text += f" Its test {spoken_metric(metric)}, which took no part in the choice, is {short(score)}{reach}."
    yield text
    if len(found.ranked) > 1:
        second = found.ranked[1]
        gap = abs(best.values["metric"] - second.values["metric"])
        yield (
            f"The next one, trial {second.number}, is {short(gap, 4)} behind. One run a trial does not say if that "
            "is more than another seed would change: repeat the best ones with several seeds."
        )


def _best_table(found: Found, spoken: str) -> tuple[list[str], list[list[str]]]:
    shown = (found.front or found.ranked)[:SHOWN]
    names = [name for name in found.objectives if name != "metric"]
    headings = ["trial", f"validation {spoken}", *names, *found.space.keys]
    rows = [
        [
            str(trial.number),
            short(trial.values["metric"]),
            *(_cost(name, trial.values.get(name)) for name in names),
            *(_param(trial, key) for key in found.space.keys),
        ]
        for trial in shown
    ]
    return headings, rows


def _cost(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3g} ms" if name == "latency" else tables.count(value)


def _param(trial: Trial, key: str) -> str:
    value = trial.params.get(key)
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _sections(found: Found, spoken: str, place: Path, best: tuple[list[str], list[list[str]]]) -> Iterator[Section]:
    notes = [f"The {'Pareto front' if found.front else 'best'}, up to {SHOWN} trials."]
    low, high = found.fences
    beyond = sum(not low <= trial.values["metric"] <= high for trial in found.done)
    if beyond:
        notes.append(f"{beyond} trials lie beyond the axis and are triangles at its edge.")
    figure = sections.drawn(place, "history", "Each trial in its turn", lambda path: draw_history(found, spoken, path))
    first = command_of(found.ranked[0])
    commands = Markup("<pre>crossfade train {}\ncrossfade train -m {} seed=0,1,2</pre>").format(first, first)
    yield Section("Trials", " ".join(notes), [figure], *best, where="trials.csv")
    again = "Trained as it was, and repeated with several seeds."
    yield Section("The best one again", again, pieces=[commands], piece="list", where="trials.csv")
    if len(found.objectives) > 1 and found.front:
        caption = "Blue: none is better in everything, with the trials' numbers; grey: the others"
        drawn = sections.drawn(place, "front", caption, lambda path: draw_front(found, spoken, path))
        note = "Latency is of one sample on one core's CPU, measured between the batches."
        yield Section("What it costs", note if "latency" in found.objectives else "", [drawn], where="trials.csv")
    if len(found.done) > 1:
        yield _space(found, spoken, place)


def _space(found: Found, spoken: str, place: Path) -> Section:
    figures, notes = [], []
    if found.importance:
        figures.append(sections.drawn(place, "shares", "Importance", lambda path: draw_shares(found.importance, path)))
        notes.append(
            "Importance: what tells the better trials from all of them (PED-ANOVA, Watanabe et al. 2023); shares of 1."
        )
        if idle := [key for key in found.space.keys if key not in found.importance]:
            notes.append(f"Without {', '.join(idle)}, which plays no part in some of the trials.")
    else:
        notes.append("Importance needs 8 finished trials, two keys that all of them use, and Optuna.")
    figures.append(
        sections.drawn(
            place,
            "slices",
            "The metric against each key; darker is later" + ("; × is pruned" if found.last else ""),
            lambda path: draw_slices(found, spoken, path),
        )
    )
    if len(found.space.keys) > 1:
        low, high = found.fences
        points = [(_described(t), float(np.clip(t.values["metric"], low, high))) for t in found.done]
        logs = [d.key for d in found.space.dimensions if d.log]
        figures.append(
            sections.drawn(
                place,
                "parallel",
                "Every finished trial a line, by its validation value the best the darkest",
                lambda path: draw_parallel(points, spoken, found.judge.direction, path, logs),
            )
        )
    if "sampler" in found.part:
        notes.append("A search looks where it is good: few trials in a corner do not say that it is bad there.")
    return Section("What matters", " ".join(notes), figures, where="trials.csv")


def _described(trial: Trial) -> dict[str, Any]:
    return {key: _number(value) for key, value in trial.params.items()}


def _number(value: Any) -> Any:
    """Choices that are numbers are numbers on an axis."""
    try:
        return float(value)
    except ValueError:
        return value


def _all(found: Found, spoken: str, page: Path) -> Section:
    names = [name for name in found.objectives if name != "metric"]
    headings = ["trial", "state", f"validation {spoken}", *names, *found.space.keys, "page (grey: folder)", "reason"]
    ordered = [*found.ranked, *(trial for trial in found.trials if trial.state != "finished")]
    rows = []
    for trial in ordered:
        value = trial.values.get("metric", found.last.get(trial.number))
        error = " ".join((trial.error or "").split())
        rows.append(
            [
                str(trial.number),
                trial.state,
                "–" if value is None else short(value),
                *(_cost(name, trial.values.get(name)) for name in names),
                *(_param(trial, key) for key in found.space.keys),
                tables.link(trial.folder, trial.folder.name, page) if trial.folder is not None else "–",
                error if len(error) <= REASON else error[:REASON] + " …",
            ]
        )
    table = folded(f"{len(rows)} trials, the best above", html(headings, rows))
    return Section("All trials", pieces=[table], piece="table", where="trials.csv")
