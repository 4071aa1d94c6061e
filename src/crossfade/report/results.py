"""The page's first part: every model and reference beside each other, a table a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossfade.analysis.metric_names import printed_metric
from crossfade.analysis.results_table import Row, cell, label_of, ordered, short
from crossfade.analysis.results_table import best_single as best_row
from crossfade.config import RunConfig
from crossfade.report.figures import figures_of
from crossfade.report.section import Section, of_several
from crossfade.results.rows import mains
from crossfade.targets import target_class

ARROWS = {"max": "↑", "min": "↓"}
READ = (
    "A row for the fused model, for each modality trained alone (* the best of them), for simple rules and for chance. "
    "The main metric stands first (↑ more is better, ↓ less), behind it its 95 % interval over "
)


def result_sections(
    config: RunConfig,
    summary: Mapping[str, Any],
    rows: Sequence[Row],
    figures: Mapping[str, Path],
) -> Iterator[Section]:
    """A table and a figure of each target."""
    for name, main, better in mains(config):
        metrics = ordered([metric for metric in summary["metrics"] if metric.startswith(f"{name}/")], main)
        shown = [row for row in rows if main in row.values]
        best = best_row(shown, main, better)
        headings = [printed(config, metric) for metric in metrics]
        yield Section(
            "Results",
            figures=figures_of(figures, "comparison", name),
            headings=["", f"{headings[0]} {ARROWS[better]}", *headings[1:]],
            rows=[[label_of(row, best), *(cell(row, m, m == main) for m in metrics)] for row in shown],
            of=of_several(name, config.task.targets),
            read=f"{READ}{summary.get('over', 'test groups')}.",
            where="results.md",
            roles=[row.role for row in shown],
        )


def printed(config: RunConfig, metric: str) -> str:
    """A metric's name, "<target>/<metric>", as the page has it: with its unit."""
    target, _, own = metric.partition("/")
    spec = config.target[target]
    return printed_metric(own, target_class(spec).unit(own, spec))


def numbers(config: RunConfig, summary: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """The page's large numbers: what each is, its value, and what must be said beside it, line by line."""
    for name, main, better in mains(config):
        value = summary["metrics"].get(main)
        ends = (summary.get("intervals") or {}).get(main)
        notes = [f"[{short(ends[0])}, {short(ends[1])}] (95 %)"] if ends else []
        area = ((summary.get("absence") or {}).get(main) or {}).get("area")
        if area is not None:
            notes.append(f"{short(area)} as modalities go absent: the mean over rates 0 to .9")
        yield f"{name}: {printed(config, main)}\u00a0{ARROWS[better]}", "–" if value is None else short(value), notes
    if summary.get("bound"):
        yield "Bayes bound", short(summary["bound"]["value"]), ["the best that the data allow"]
    sizes = ", ".join(f"{count:,} {split}" for split, count in summary["samples"].items() if split != "test")
    yield "test samples", f"{summary['samples']['test']:,}", [sizes]
