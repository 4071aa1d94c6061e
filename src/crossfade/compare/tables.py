"""The tables of a comparison: each model with its intervals, and its difference from the best."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from rich import box
from rich.table import Table

from crossfade.analysis.results_table import short
from crossfade.analysis.statistics import corrected_t
from crossfade.analysis.verdict import spoken_p
from crossfade.compare.judge import Comparison, Judged, spoken_places
from crossfade.compare.models import Gathered, Model


def models_table(found: Gathered) -> Table:
    """Mean, its interval over seeds and folds, and the interval over test groups of a single run of it."""
    repeated = any(len(model.values(found.metric)) > 1 for model in found.models)
    table = _table(found.metric.replace("/", " · ").replace("_", " "))
    table.add_column("model")
    headings = ["mean", "± sd", "95 % over", "95 % over", "over"] if repeated else ["", "95 % over"]
    below = ["", "", "repeats", "test groups", ""] if repeated else ["", "test groups"]
    for heading, second in zip(headings, below, strict=True):
        table.add_column(f"{heading}\n{second}".rstrip(), justify="right")
    for model in found.models:
        values = model.values(found.metric)
        samples = _ends(interval_over_samples(model, found.metric))
        cells = [short(model.mean(found.metric)), samples]
        if repeated:
            sd = short(statistics.stdev(values)) if len(values) > 1 else "–"
            repeats = _ends(interval_over_repeats(model, found.metric))
            cells = [cells[0], sd, repeats, samples, spoken_places(list(model.repeats))]
        table.add_row(model.label, *cells, style="bold" if model is found.models[0] else "")
    return table


def differences_table(found: Gathered, judged: Judged) -> Table:
    """The best minus each other model: interval, p, effect sizes, samples that only one of the two has right."""
    table = _table(f"{found.models[0].label} against the others")
    over_repeats = any(c.repeats > 1 for c in judged.against_best)
    right = any(c.right is not None for c in judged.against_best)
    table.add_column("model")
    for heading in ("Δ", "95 %", "p"):
        table.add_column(heading, justify="right")
    if over_repeats:
        table.add_column("Cohen's d", justify="right")
        table.add_column("Cliff's δ", justify="right")
    if right:
        table.add_column("only one right", justify="right")
    for c in judged.against_best:
        d = c.difference
        cells = ["–", "", ""]
        if d is not None:
            ends = "" if math.isnan(d.low) else rf"\[{d.low:+.3f}, {d.high:+.3f}]"
            cells = [
                f"{d.value:+.3f}",
                ends,
                "" if math.isnan(c.p) else spoken_p(c.p).removeprefix("p ").removeprefix("= "),
            ]
        if over_repeats:
            cells += [_number(c.cohens_d), _number(c.cliffs_delta)]
        if right:
            cells.append(_right(c))
        table.add_row(c.second.label, *cells)
    return table


def interval_over_repeats(model: Model, metric: str) -> tuple[float, float]:
    """95 % interval of the mean over seeds and folds, by the corrected resampled t; NaN for one repeat."""
    values = model.values(metric)
    share = statistics.fmean(repeat.test_share for repeat in model.repeats.values())
    found = corrected_t(values, share)
    return found.low, found.high


def interval_over_samples(model: Model, metric: str) -> tuple[float, float]:
    """95 % interval over test groups of one run of the model, the ends' means over its repeats; NaN where unknown."""
    known = [ends for repeat in model.repeats.values() if (ends := repeat.intervals.get(metric))]
    if not known:
        return math.nan, math.nan
    return statistics.fmean(low for low, _ in known), statistics.fmean(high for _, high in known)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def _ends(ends: Sequence[float]) -> str:
    low, high = ends
    return "–" if math.isnan(low) else rf"\[{short(low)}, {short(high)}]"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.2f}"


def _right(c: Comparison) -> str:
    """ "12 : 9, p = .664": samples that only the best, and only it, has right; McNemar's p."""
    if c.right is None:
        return "–"
    first, second, p = c.right
    return f"{first} : {second}, {spoken_p(p)}"
