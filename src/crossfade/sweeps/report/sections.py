"""The parts of a sweep's page, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from markupsafe import Markup

from crossfade.analysis.critical_difference import draw_critical_difference
from crossfade.analysis.results_table import spoken_metric
from crossfade.report.section import Section
from crossfade.report.table import folded, html
from crossfade.report.vector import inline
from crossfade.sweeps.jobs import Job
from crossfade.sweeps.report import tables
from crossfade.sweeps.report.absence import draw_missing, missing_of
from crossfade.sweeps.report.factors import factors_of, grid_of, varying_factors
from crossfade.sweeps.report.factors_figure import draw_heat_map, draw_importance
from crossfade.sweeps.report.landscape_figure import draw_landscape
from crossfade.sweeps.report.pairs import spoken_blocks
from crossfade.sweeps.report.parallel_figure import draw_parallel
from crossfade.sweeps.report.ranking import FEW
from crossfade.sweeps.report.ranking_figure import draw_ranking
from crossfade.sweeps.report.settings import shared_blocks
from crossfade.sweeps.report.sweep import Sweep

BAND = (
    "Intervals: 95 %, over seeds and folds by the corrected resampled t (Nadeau & Bengio 2003), of one run over its "
    "test groups."
)


def of(sweep: Sweep, place: Path, page: Path) -> Iterator[Section]:
    """What there is to show of this sweep; figures are drawn into `place` on the way."""
    if sweep.landscape is not None:
        yield _landscape(sweep, place)
    yield from of_settings(sweep, place, page)


def of_settings(sweep: Sweep, place: Path, page: Path) -> Iterator[Section]:
    """What is shown of settings beside the landscape."""
    yield _ranking(sweep, place)
    if len(sweep.settings) > 2 and varying_factors(sweep.settings):
        yield _factors(sweep, place)
    if (missing := _missing(sweep, place)) is not None:
        yield missing
    yield _all(sweep, page)


def of_jobs(jobs: Sequence[Job], page: Path) -> Iterator[Section]:
    """The jobs that have not finished (pruned ones were stopped on purpose), with the reason; each job's command."""
    if rows := list(tables.unfinished([job for job in jobs if job.state != "pruned"], page)):
        yield Section(
            "Not finished",
            "A run folder's run.log has the stack trace.",
            pieces=[html(["job", "state", "reason"], rows)],
            piece="table",
            where="ledger.sqlite",
        )
    lines = "\n".join(tables.command_of(job) for job in jobs)
    commands = folded("Each job alone", Markup("<pre>{}</pre>").format(lines))
    yield Section("Jobs", pieces=[commands], piece="list", where="ledger.sqlite")


def drawn(place: Path, name: str, caption: str, draw: Callable[[Path], object]) -> tuple[str, Markup]:
    path = place / f"{name}.svg"
    draw(path)
    return caption, inline(path)


def _landscape(sweep: Sweep, place: Path) -> Section:
    landscape = sweep.landscape
    assert landscape is not None
    modalities = sweep.table.attrs["modalities"]
    figure = drawn(
        place,
        "landscape",
        "Above: the mean at each α; strategies without α as lines, their intervals at the right. Below: where each "
        "optimum lies",
        lambda path: draw_landscape(landscape, sweep.colours, sweep.spoken, modalities, path),
    )
    headings, rows = tables.landscape_table(landscape)
    notes = [
        BAND,
        "The optimum is the best mean over the test splits, and its value therefore optimistic; its interval is of the "
        "argmax when seeds and folds are resampled. Not distinguishable: the α around it that do not differ from it, "
        "p adjusted by Holm.",
    ]
    fewest = min(len(s.test) for panel in landscape.panels for curve in panel.curves for s in curve.settings)
    if fewest < FEW:
        notes.append(
            f"With {fewest} repeat{'s' * (fewest > 1)} the optimum's interval "
            f"{'is too short to be trusted' if fewest > 1 else 'is not known'}: train more seeds or folds."
        )
    if landscape.hidden:
        notes.append(f"{landscape.hidden} more combinations of the other settings are in the table of all settings.")
    if landscape.unshown:
        notes.append(f"{landscape.unshown} more strategies without α are in the ranking.")
    if landscape.off_line:
        notes.append(
            f"{landscape.off_line} settings weigh the other modalities unevenly: their α is no single number, and they "
            "are in the tables only."
        )
    return Section("The α-landscape", " ".join(notes), [figure], headings, rows, where="sweep.csv")


def _ranking(sweep: Sweep, place: Path) -> Section:
    ranking = sweep.ranking
    figures = []
    if len(ranking.settings) > 1:
        figures.append(
            drawn(
                place,
                "ranking",
                "Mean, interval and each run; a bar at the right joins what cannot be told apart",
                lambda path: draw_ranking(ranking, sweep.single, sweep.bound, sweep.colours, sweep.spoken, path),
            )
        )
    if (scores := ranking.scores) is not None:
        blocks = spoken_blocks(shared_blocks(ranking.settings))
        figures.append(
            drawn(
                place,
                "critical",
                "Mean ranks over the repeats; a bar joins those that differ by less than the critical difference. "
                "Ranks of few repeats tell less apart than the paired tests of the letters",
                lambda path: draw_critical_difference(scores, path, sweep.better, blocks=blocks),
            )
        )
    headings, rows = tables.ranking_table(ranking, sweep.spoken)
    shown = [[tables.named(setting), *row[1:]] for setting, row in zip(ranking.settings, rows, strict=True)]
    if ranking.by_strategy:
        split = "validation splits" if ranking.by_validation else "TEST splits, for want of validation metrics"
        chosen = f"One setting of each strategy, the best on the {split}."
        if not ranking.by_validation:
            chosen += " What is chosen on the test splits looks better than it is."
    else:
        chosen = "The sweep has one strategy; its settings stand against each other."
    notes = [chosen, BAND, "Settings that share a letter are not distinguishable, p adjusted by Holm over all pairs."]
    if not ranking.letters and len(ranking.settings) > 1:
        notes[-1] = "No letters: some pairs could not be tested."
    if ranking.left_out:
        notes.append(f"{ranking.left_out} more are in the table of all settings and not tested.")
    notes.append("FLOPs and latency: of one sample on the CPU.")
    return Section("Ranking", " ".join(notes), figures, headings, shown, where="sweep.csv")


def _factors(sweep: Sweep, place: Path) -> Section:
    grid, note = grid_of(sweep.settings)
    figures = []
    if grid is not None and grid.shares:
        figures.append(drawn(place, "importance", "What explains the metric", lambda path: draw_importance(grid, path)))
        if len(grid.levels) > 1:
            rows, columns = sorted(grid.foremost, key=lambda name: len(grid.levels[name]))
            rest = "" if len(grid.levels) == 2 else ", means over the other settings"
            figures.append(
                drawn(
                    place,
                    "interaction",
                    f"{rows} × {columns}{rest}",
                    lambda path: draw_heat_map(grid, rows, columns, sweep.spoken, sweep.better, path),
                )
            )
        note += (
            " Shares of the variance over the full grid, exact functional ANOVA (Hooker 2007; Hutter et al. 2014); a "
            "product is what two settings do together beyond what each does alone."
        )
    if len(varying_factors(sweep.settings)) > 2:
        points = [(factors_of(setting), setting.mean) for setting in sweep.settings]
        figures.append(
            drawn(
                place,
                "parallel",
                "Every setting a line, the best the darkest",
                lambda path: draw_parallel(points, sweep.spoken, sweep.better, path),
            )
        )
    return Section("What matters", note.strip(), figures, where="sweep.csv")


def _missing(sweep: Sweep, place: Path) -> Section | None:
    curves = missing_of(sweep.path, sweep.ranking.settings, sweep.target)
    if not curves:
        return None
    row = next(iter(curves[0].setting.rows.values()))
    kept = sweep.runs_summary(row).get("absence") or {}
    main = next((name for name in kept if name.startswith(f"{sweep.target}/")), sweep.metric)
    metric = spoken_metric(main)
    figure = drawn(
        place,
        "missing",
        "At its end each curve's mean over the rates",
        lambda path: draw_missing(curves, sweep.colours, metric, path),
    )
    return Section(
        "When modalities are missing",
        "Each modality absent by itself at the same rate. " + BAND,
        [figure],
        where="sweep.csv",
    )


def _all(sweep: Sweep, page: Path) -> Section:
    headings, rows, ordered = tables.settings_table(sweep.settings, sweep.spoken, sweep.better)
    linked = [
        [tables.named(setting), *row[1:], tables.links(setting, sweep.path, page)]
        for row, setting in zip(rows, ordered, strict=True)
    ]
    table = html([*headings, "pages (grey: folders)"], linked)
    return Section(
        "All settings",
        pieces=[folded(f"{len(rows)} settings, the best above", table)],
        piece="table",
        where="sweep.csv",
    )
