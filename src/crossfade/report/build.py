"""From a run's folder to its page."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader

from crossfade.analysis.results_table import Row, cell, label_of, ordered, short, spoken_metric
from crossfade.analysis.results_table import best_single as best_row
from crossfade.config import RunConfig
from crossfade.data.module import DataModule
from crossfade.evaluation.reopen import reopen_data, reopen_model
from crossfade.model import FusionModel
from crossfade.report.calibration import calibration_sections
from crossfade.report.ceiling import ceiling_sections
from crossfade.report.cost import cost_of
from crossfade.report.examples import examples_of
from crossfade.report.facts import facts_of
from crossfade.report.looks import looks
from crossfade.report.perceived import perceived
from crossfade.report.robustness import robustness_sections
from crossfade.report.section import Section
from crossfade.report.vector import inline
from crossfade.results.figures import draw_run
from crossfade.results.rows import mains, rows_of
from crossfade.runs import RunFolder, write_text

CAPTIONS = {
    "comparison": "Fused, single modalities, chance; 95 % intervals",
    "confusion": "Counts; colour: share of the true class",
    "reliability": "Accuracy against confidence: on the diagonal it is calibrated",
    "certainty": "Left: the error among the surest; right: conformal sets of each presence pattern",
    "absence": "Every presence pattern, and rates of absence",
    "shapley": "What each modality is worth, and how pairs interact",
}
PROFILED = 32  # samples of the batch that the cost is measured with


def write_report(folder: RunFolder, output: Path) -> Path:
    """Write the page of a run, finished or not, and return where it is."""
    config = folder.run_config()
    page = Environment(loader=PackageLoader("crossfade.report", "."), autoescape=True).get_template("page.html")
    write_text(output, page.render(**_contents(config, folder)))
    return output


def _contents(config: RunConfig, folder: RunFolder) -> dict[str, Any]:
    environment = folder.environment()
    command = shlex.join(["python", *map(str, environment.get("command") or [])])
    found: dict[str, Any] = {
        "title": config.name or f"{config.task.name}: {', '.join(config.task.targets)}",
        "subtitle": " · ".join(
            [
                ", ".join(config.task.modalities),
                f"fusion {_part(config.fusion)}",
                f"core {_part(config.core)}",
                f"seed {config.seed}",
                str(folder.path),
            ]
        ),
        "warnings": [],
        "command": command,
        "config": yaml.safe_dump(config.dump(), sort_keys=False, allow_unicode=True),
        "facts": facts_of(environment),
        "targets": [],
        "more": [],
        "sections": [],
    }
    with tempfile.TemporaryDirectory() as place:
        if folder.is_finished():
            found |= _finished(config, folder, Path(place))
        else:
            found["warnings"] = [_unfinished(folder)]
            found["more"] = list(_drawn(draw_run(config, folder, None, Path(place), ".svg"), ""))
    return found


def _finished(config: RunConfig, folder: RunFolder, place: Path) -> dict[str, Any]:
    summary = folder.summary()
    figures = draw_run(config, folder, summary, place, ".svg")
    rows = rows_of(summary)
    cross_validated = "folds" in summary
    found: dict[str, Any] = {
        "numbers": list(_numbers(config, summary)),
        "verdicts": folder.verdicts(),
        "targets": [_target(name, main, better, summary, rows, figures) for name, main, better in mains(config)],
        "more": list(_drawn({k: v for k, v in figures.items() if k == "training"}, "Loss and validation metric")),
    }
    if cross_validated:
        found["warnings"] = [
            f"Means of {len(summary['folds'])} folds. Each fold is a run of its own, with a page of its own."
        ]
        return found
    data = reopen_data(config, folder)
    for one, (name, main, better) in zip(found["targets"], mains(config), strict=True):
        one["examples"] = examples_of(folder, data, name, main.partition("/")[2], better)
    model = reopen_model(config, folder, summary["checkpoint"])
    found["sections"] = _sections(folder, model, data)
    batch = data.samples[data.split["test"][:PROFILED].tolist()]
    found["cost"] = {
        **cost_of(model, batch),
        "training": f"{summary['seconds']:g} s",
    }
    return found


def _sections(folder: RunFolder, model: FusionModel, data: DataModule) -> list[Section]:
    """What analyses beside the targets' figures have to show, those on request where they were made."""
    targets = list(model.targets)
    return [
        *calibration_sections(folder, targets),
        *ceiling_sections(folder),
        *perceived(folder, targets),
        *robustness_sections(folder, model),
        *looks(folder, data),
    ]


def _target(
    name: str, main: str, better: str, summary: Mapping[str, Any], rows: list[Row], figures: Mapping[str, Path]
) -> dict[str, Any]:
    metrics = ordered([metric for metric in summary["metrics"] if metric.startswith(f"{name}/")], main)
    shown = [row for row in rows if main in row.values]
    best = best_row(shown, main, better)
    own = {key: path for key, path in figures.items() if key.partition(" ")[2] == name}
    return {
        "name": name,
        "headings": [spoken_metric(metric) for metric in metrics],
        "rows": [
            {"label": label_of(row, best), "role": row.role, "cells": [cell(row, m, m == main) for m in metrics]}
            for row in shown
        ],
        "note": f"* best single modality. {spoken_metric(main)}: "
        + ("more is better" if better == "max" else "less is better")
        + f"; in brackets the 95 % interval over {summary.get('over', 'test groups')}.",
        "figures": [(CAPTIONS[key.partition(" ")[0]], inline(path, path.stem)) for key, path in own.items()],
        "examples": [],
        "shares": ((summary.get("shapley") or {}).get(name) or {}).get("of", ""),
    }


def _drawn(figures: Mapping[str, Path], caption: str) -> Iterator[tuple[str, Any]]:
    for path in figures.values():
        yield caption, inline(path, path.stem)


def _numbers(config: RunConfig, summary: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, main, _ in mains(config):
        value = summary["metrics"].get(main)
        ends = (summary.get("intervals") or {}).get(main)
        note = f"[{short(ends[0])}, {short(ends[1])}]" if ends else ""
        yield f"{name}: {spoken_metric(main)}", "–" if value is None else short(value), note
        area = ((summary.get("absence") or {}).get(main) or {}).get("area")
        if area is not None:
            yield "mean over rates of absence", short(area), "each modality absent at 0 to .9"
    if summary.get("bound"):
        yield "Bayes bound", short(summary["bound"]["value"]), ""
    sizes = " · ".join(f"{count:,} {split}" for split, count in summary["samples"].items())
    yield "test samples", f"{summary['samples']['test']:,}", sizes


def _unfinished(folder: RunFolder) -> str:
    state = folder.status().state if folder.status_file.exists() else "not started"
    return (
        f"This run is not finished (status: {state}). What there is of it stands below. Go on with it: "
        f"resume={folder.path}"
    )


def _part(part: Mapping[str, Any]) -> str:
    return str(part["_target_"]).rsplit(".", 1)[-1].lower()
