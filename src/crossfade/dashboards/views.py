"""The workspace and the report of a dashboard, as wandb-workspaces builds them; no server is needed for it."""

from __future__ import annotations

import json
from typing import Any

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws
from wandb_workspaces import expr

from crossfade.dashboards import panels
from crossfade.dashboards.subject import Subject

NOBODY = "(your default entity)"  # what a dry run shows where no entity is given


def workspace(subject: Subject) -> ws.Workspace:
    """All sections; runs are grouped by strategy and α, so that a point is the mean over seeds and folds."""
    return ws.Workspace(
        entity=subject.entity or NOBODY,
        project=subject.project,
        name=subject.title,
        sections=[
            ws.Section(name=name, panels=found, is_open=True) for name, found in panels.sections(subject).items()
        ],
        runset_settings=ws.RunsetSettings(
            filters=_filters(subject), groupby=[expr.Config("strategy"), expr.Config("alpha")]
        ),
    )


def report(subject: Subject) -> wr.Report:
    """The α landscape with a colour for each strategy, strategies, modalities, and the tables that runs logged."""
    runs = wr.Runset(name="all runs", filters=_filters(subject))
    using_alpha = [name for name, uses in subject.strategies.items() if uses]
    each = [wr.Runset(name=n, filters=_filters(subject, expr.Config("strategy") == n)) for n in using_alpha]
    tables = [wr.WeavePanelSummaryTable(table_name=name) for name in _tables(subject)]
    blocks: list[Any] = [
        wr.P(f"Runs {_runs(subject)}, scored on their test samples."),
        *([wr.CodeBlock(subject.command, language=None)] if subject.command else []),
        wr.H2("α landscape"),
        wr.P("The test metric against α, the weight of the first modality; each set of runs is one strategy."),
        wr.PanelGrid(runsets=each or [runs], panels=_laid(panels.landscape(subject))),
        wr.H2("Strategies"),
        wr.PanelGrid(runsets=[runs], panels=_laid(panels.strategies(subject))),
        wr.H2("Modalities"),
        wr.P("How much worse without a modality, its Shapley value, and the model of that modality alone."),
        wr.PanelGrid(runsets=[runs], panels=_laid(panels.modalities(subject))),
        wr.H2("Tables"),
        wr.PanelGrid(runsets=[runs], panels=_laid(tables, abreast=1)),
    ]
    return wr.Report(
        project=subject.project,
        entity=subject.entity or NOBODY,
        title=subject.title[:128],
        description="Made by crossfade dashboard push",
        blocks=blocks,
        width="fluid",
    )


def specs(subject: Subject) -> dict[str, Any]:
    """What would be saved, as plain data: the spec of each view."""
    views = {"workspace": workspace(subject)._to_model().spec, "report": report(subject)._to_model().spec}
    return {name: json.loads(spec.model_dump_json(by_alias=True, exclude_none=True)) for name, spec in views.items()}


def outline(subject: Subject) -> str:
    """What would be saved, as a tree: views, sections, panels, the metrics of each."""
    place = f"{subject.entity or NOBODY}/{subject.project}"
    lines = [f'workspace "{subject.title}" in {place}: runs {_runs(subject)}, grouped by strategy and α']
    for name, found in panels.sections(subject).items():
        lines += [f"  {name}", *(f"    {_line(panel)}" for panel in found)]
    lines.append(f'report "{subject.title}" in {place}')
    for block in report(subject).blocks:
        if isinstance(block, wr.H2):
            lines.append(f"  {block.text}")
        elif isinstance(block, wr.PanelGrid):
            if len(block.runsets) > 1:
                lines.append(f"    sets of runs: {', '.join(runset.name for runset in block.runsets)}")
            lines += [f"    {_line(panel)}" for panel in block.panels]
    return "\n".join(lines)


def _laid(found: list[Any], abreast: int = 2) -> list[Any]:
    """The same panels, side by side on the report's grid of 24 columns."""
    width, height = 24 // abreast, 10
    for place, panel in enumerate(found):
        panel.layout = wr.Layout(x=place % abreast * width, y=place // abreast * height, w=width, h=height)
    return found


def _runs(subject: Subject) -> str:
    return "of all groups" if subject.group is None else f"of the group {subject.group}"


def _filters(subject: Subject, *more: Any) -> expr.And:
    """Of a cross-validated job its mean, and not the folds beside it."""
    group = [] if subject.group is None else [expr.Metric("Group") == subject.group]
    return expr.And(*group, expr.Metric("JobType") == "train", *more)


def _tables(subject: Subject) -> list[str]:
    targets = [main.partition("/")[0] for main in subject.mains]
    return ["results", *(f"patterns/{target}" for target in targets), *(f"confusion/{target}" for target in targets)]


def _line(panel: Any) -> str:
    """ "bars: Trained parameters (cost/trained_parameters)" """
    if isinstance(panel, wr.ScatterPlot):
        return f"scatter: {panel.title} ({_name(panel.y)} against {_name(panel.x)})"
    if isinstance(panel, wr.WeavePanelSummaryTable):
        return f"table: {panel.table_name}"
    kind, names = ("lines", panel.y) if isinstance(panel, wr.LinePlot) else ("bars", panel.metrics)
    return f"{kind}: {panel.title} ({', '.join(map(_name, names))})"


def _name(metric: Any) -> str:
    return metric if isinstance(metric, str) else str(metric.name)
