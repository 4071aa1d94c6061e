"""The page's part on upper bounds: models trained on just a presence pattern."""

from __future__ import annotations

from collections.abc import Iterator

from crossfade.analysis.ceiling_table import ceiling_cells, ceiling_sentence
from crossfade.analysis.metric_names import printed_metric
from crossfade.report.section import Section, of_several
from crossfade.results.rows import mains
from crossfade.runs import RunFolder


def ceiling_sections(folder: RunFolder) -> Iterator[Section]:
    """One for each target whose upper bounds were asked for, with `crossfade ceiling`."""
    config = folder.run_config()
    for name, main, better in mains(config):
        table, metric = folder.table(f"ceiling_{name}"), main.partition("/")[2]
        if table is None:
            continue
        yield Section(
            title="Trained on just these modalities",
            headings=("modalities", f"{printed_metric(metric)}, this model", "trained on them", "difference", "p"),
            rows=ceiling_cells(table, config.task.modalities, metric),
            note=f"{ceiling_sentence(table, better)} Test samples that have any of the pattern's modalities.",
            of=of_several(name, config.task.targets),
            read="How far this one model, with modalities taken away, falls behind a model trained on the rest alone.",
            where=f"ceiling_{name}.csv",
        )
