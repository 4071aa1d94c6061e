"""The page of `search=cv_alpha`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.analysis.results_table import short
from crossfade.drawing import SERIES
from crossfade.report.section import Section
from crossfade.search.page.inner_figure import MOST, draw_inner
from crossfade.search.page.nested import Nested, Split
from crossfade.sweeps.report import sections, tables
from crossfade.sweeps.report.landscape_figure import draw_landscape
from crossfade.sweeps.report.pairs import spoken_blocks
from crossfade.sweeps.report.settings import Setting
from crossfade.sweeps.report.subject import Contents, Subject

PANELS = 4  # settings whose inner curves are drawn
BOXES = 3  # settings whose score stands at the top


def contents(subject: Subject, part: Mapping[str, Any]) -> Contents:
    """Everything on it; inner runs are in the curves alone, outer ones in the scores, ranking and verdicts."""
    found = subject.frame("Search")
    grid = f"{len(part['alphas'])} α × {part['inner']} inner folds"
    found["subtitle"] = f"α by nested cross-validation · {grid} · none of its {len(subject.jobs)} jobs finished"
    if subject.metric is not None:
        nested = Nested(subject, part, subject.metric)
        found |= _found(nested, grid)
        found["warnings"] += _lost(nested)
    if any(job.state in ("waiting", "running", "interrupted") for job in subject.jobs):
        found["warnings"].append(f"The search has not come to its end. To go on: crossfade sweep resume {subject.path}")
    elif subject.states["failed"]:
        found["warnings"].append(f"To run what failed again: crossfade sweep resume {subject.path} retry=true")
    found["sections"] = [*found["sections"], *sections.of_jobs(subject.jobs, subject.page)]
    return found


def _found(nested: Nested, grid: str) -> Contents:
    subject = nested.subject
    spoken = nested.metric.rpartition("/")[2].replace("_", " ")
    better = "more" if nested.better == "max" else "less"
    splits = f"{len(nested.splits)} outer split{'s' * (len(nested.splits) != 1)}"
    subtitle = [subject.task, f"α by nested cross-validation: {grid} in {splits}"]
    table = _splits_table(nested, spoken)
    shown = [*_sections(nested, spoken, subject.place, subject.page, table)]
    return {
        "subtitle": " · ".join([*subtitle, f"by {spoken}, {better} is better"]),
        "numbers": list(_numbers(nested, spoken)),
        "verdicts": list(_verdicts(nested, spoken)),
        "sections": shown,
        "tables": [table],
    }


def _lost(nested: Nested) -> list[str]:
    found = []
    short_of = [split for split in nested.splits if split.choice is None]
    if short_of:
        found.append(
            f"{len(short_of)} of {len(nested.splits)} outer splits lack inner scores, so that no α was chosen "
            "there: the other inner scores alone would not tell the truth."
        )
    if nested.outer is None:
        found.append("No outer run has finished: there is no score to report yet.")
    return found


def _numbers(nested: Nested, spoken: str) -> Iterator[tuple[str, str, str]]:
    several = len({split.setting for split in nested.splits}) > 1
    for name, setting in list(nested.settings.items())[:BOXES]:
        e = setting.estimate
        note = f"{tables.interval(e.low, e.high).strip()} {_over(setting)}".strip()
        yield f"outer {spoken}{f', {name}' if several else ''}", short(e.mean), note
    chosen = [split.choice.alpha for split in nested.splits if split.choice is not None]
    if chosen:
        spread = f"median; {short(min(chosen), 2)} to {short(max(chosen), 2)}" if len(chosen) > 1 else ""
        yield "α chosen", short(statistics.median(chosen), 2), spread
    done = sum(not math.isnan(split.outer) for split in nested.splits)
    yield "outer splits", f"{done} of {len(nested.splits)}", "scored"


def _over(setting: Setting) -> str:
    blocks = list(setting.test)
    return f"over {spoken_blocks(blocks)}" if len(blocks) > 1 else "over its test groups"


def _verdicts(nested: Nested, spoken: str) -> Iterator[str]:
    for name, setting in list(nested.settings.items())[:BOXES]:
        e = setting.estimate
        tests = f"{e.repeats} outer test splits" if e.repeats > 1 else "the outer test split"
        text = (
            f"{name}: {spoken} {short(e.mean)}{tables.interval(e.low, e.high)} on {tests} is the score to report. No "
            "sample of an outer test split was in any run that chose its α."
        )
        if (inner := _inner_mean(nested, name)) is not None:
            text += (
                f" The inner mean of the chosen α, {short(inner)}, is not: it is the best of {len(nested.alphas)}, "
                "taken from the data that chose it, and so optimistic; the inner runs also had less to learn from."
            )
        yield text
    if nested.outer is not None:
        yield from nested.outer.verdicts


def _inner_mean(nested: Nested, name: str) -> float | None:
    """The mean over the outer splits of the inner mean at the chosen α."""
    found = [
        float(s.scores[s.choice.chosen].mean()) for s in nested.splits if s.setting == name and s.choice is not None
    ]
    known = [value for value in found if not math.isnan(value)]
    return statistics.fmean(known) if known else None


def _sections(
    nested: Nested, spoken: str, place: Path, page: Path, table: tuple[list[str], list[list[str]]]
) -> Iterator[Section]:
    yield _chosen(nested, spoken, place, table)
    if nested.landscape is not None and nested.landscape.landscape is not None:
        yield _landscape(nested, spoken, place)
    if nested.outer is not None:
        ranking, *others = sections.of_settings(nested.outer, place, page)
        yield from [ranking, *others] if len(nested.outer.settings) > 1 else others


def _chosen(nested: Nested, spoken: str, place: Path, table: tuple[list[str], list[list[str]]]) -> Section:
    groups: dict[str, list[Split]] = {}
    for split in nested.splits:
        groups.setdefault(split.setting, []).append(split)
    figures = []
    for number, (name, splits) in enumerate(list(groups.items())[:PANELS]):
        more = f", the first {MOST} of {len(splits)} outer splits" if len(splits) > MOST else ""
        colour = SERIES[number % len(SERIES)]
        draw = _drawing(splits, colour, spoken, nested.modalities[0])
        figures.append(sections.drawn(place, f"inner{number}", f"{name}: what α was chosen by{more}", draw))
    rule = "the α with the best mean; of equals the one nearest to even"
    if nested.one_se:
        rule = "the α nearest to even within one standard error of the best"
    notes = [
        f"Taken in each outer split: {rule}.",
        "The diamond is the honest score: one run with the chosen α on all the data outside the outer test split.",
    ]
    if nested.metric != nested.main:
        notes.append(f"α was chosen by {nested.main}, and is looked at by another metric here.")
    if len(groups) > PANELS:
        notes.append(f"The curves of {len(groups) - PANELS} more settings are in sweep.csv.")
    read = "What α was chosen by, on the data outside each outer test split, and what it is worth inside it."
    return Section("α chosen inside, scored outside", " ".join(notes), figures, *table, read=read, where="cv_alpha.csv")


def _drawing(splits: list[Split], colour: str, spoken: str, modality: str) -> Any:
    return lambda path: draw_inner(splits, colour, spoken, modality, path)


def _splits_table(nested: Nested, spoken: str) -> tuple[list[str], list[list[str]]]:
    several = len({split.setting for split in nested.splits}) > 1
    rows = []
    for split in nested.splits:
        cells = [split.setting] if several else []
        cells.append(split.label)
        if split.choice is None:
            known = int(np.isfinite(split.scores).sum())
            rows.append([*cells, "–", f"{known} of {split.scores.size} inner scores", "–"])
            continue
        at = split.choice.chosen
        inner = split.scores[at]
        error = f" ± {short(statistics.stdev(inner) / math.sqrt(len(inner)))}"
        ends = (split.row or {}).get(f"{nested.metric} low"), (split.row or {}).get(f"{nested.metric} high")
        outer = "–" if math.isnan(split.outer) else short(split.outer)
        if None not in ends:
            outer += tables.interval(*(float(x) for x in ends if x is not None))
        rows.append([*cells, short(split.choice.alpha, 2), short(float(inner.mean())) + error, outer])
    headings = ["outer split", "chosen α", "inner mean ± se (optimistic)", f"outer {spoken} [95 %, test groups]"]
    return (["setting", *headings] if several else headings), rows


def _landscape(nested: Nested, spoken: str, place: Path) -> Section:
    sweep = nested.landscape
    assert sweep is not None
    landscape = sweep.landscape
    assert landscape is not None
    words = "chosen α, outer score"
    figure = sections.drawn(
        place,
        "landscape",
        "The inner curves taken together; the diamond is the mean of the chosen α and of the outer scores",
        lambda path: draw_landscape(landscape, sweep.colours, f"inner {spoken}", nested.modalities, path, words),
    )
    repeats = "outer splits, each the mean over its inner folds"
    if all(s.fold is None and s.seed == nested.splits[0].seed for s in nested.splits):
        repeats = "the inner folds"
    note = (
        f"Bands and the optimum's interval are over {repeats}; training sets overlap, which the corrected resampled t "
        "(Nadeau & Bengio 2003) allows for in part. The wider the range within which no α is distinguishable from "
        "the optimum, the less the choice matters. An inner value at its optimum is optimistic; the outer score is not."
    )
    headings, rows = tables.landscape_table(landscape, "chosen α [95 %]", "outer score")
    return Section("The inner landscape", note, [figure], headings, rows, where="cv_alpha.csv")
