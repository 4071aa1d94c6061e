"""From a run's folder to its page."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from crossfade.config import RunConfig
from crossfade.evaluation.reopen import reopen_data, reopen_model
from crossfade.registry import part_name
from crossfade.report.calibration import calibration_sections
from crossfade.report.ceiling import ceiling_sections
from crossfade.report.cost import cost_of
from crossfade.report.examples import example_sections
from crossfade.report.facts import facts_of
from crossfade.report.figures import (
    absence_sections,
    figures_of,
    prediction_sections,
    training_section,
    worth_sections,
)
from crossfade.report.looks import looks
from crossfade.report.page import page_of
from crossfade.report.perceived import perceived
from crossfade.report.results import numbers, result_sections
from crossfade.report.robustness import robustness_sections
from crossfade.report.unfinished import epochs, log_section, state_of
from crossfade.results.figures import draw_run
from crossfade.results.rows import mains, rows_of
from crossfade.runs import RunFolder, write_text

PROFILED = 32  # samples of the batch that the cost is measured with


def write_report(folder: RunFolder, output: Path) -> Path:
    """Write the page of a run, finished or not, and return where it is."""
    write_text(output, page_of(_contents(folder.run_config(), folder)))
    return output


def _contents(config: RunConfig, folder: RunFolder) -> dict[str, Any]:
    environment = folder.environment()
    found: dict[str, Any] = {
        "title": config.name or f"{config.task.name}: {', '.join(config.task.targets)}",
        "subtitle": " · ".join(
            [
                ", ".join(config.task.modalities),
                f"fusion {part_name('fusion', config.fusion['_target_'])}",
                f"core {part_name('core', config.core['_target_'])}",
                f"seed {config.seed}",
            ]
        ),
        "path": str(folder.path),
        "warnings": [],
        "command": shlex.join(["python", *map(str, environment.get("command") or [])]),
        "config": yaml.safe_dump(config.dump(), sort_keys=False, allow_unicode=True),
        "facts": facts_of(environment),
    }
    with tempfile.TemporaryDirectory() as place:
        return found | (_finished if folder.is_finished() else _unfinished)(config, folder, Path(place))


def _unfinished(config: RunConfig, folder: RunFolder, place: Path) -> dict[str, Any]:
    figures = draw_run(config, folder, None, place, ".svg")
    return {
        "warnings": [state_of(folder)],
        "numbers": list(epochs(folder, mains(config)[0][1])),
        "sections": [*training_section(figures), *log_section(folder)],
    }


def _finished(config: RunConfig, folder: RunFolder, place: Path) -> dict[str, Any]:
    summary = folder.summary()
    figures = draw_run(config, folder, summary, place, ".svg")
    found: dict[str, Any] = {
        "numbers": list(numbers(config, summary)),
        "verdicts": folder.verdicts(),
        "sections": [
            *result_sections(config, summary, rows_of(summary), figures),
            *training_section(figures),
        ],
    }
    if "folds" in summary:
        found["warnings"] = [
            f"Means of {len(summary['folds'])} folds. Each fold is a run of its own, with a page of its own."
        ]
        return found
    return found | _reopened(config, folder, summary, figures, found["sections"])


def _reopened(
    config: RunConfig, folder: RunFolder, summary: Mapping[str, Any], figures: Mapping[str, Path], above: list[Any]
) -> dict[str, Any]:
    """The sections below those `above`, and the cost: what takes the model and its data."""
    data, model = reopen_data(config, folder), reopen_model(config, folder, summary["checkpoint"])
    names = list(config.task.targets)
    confidence = {
        name: [*figures_of(figures, "reliability", name), *figures_of(figures, "certainty", name)] for name in names
    }
    sections = [
        *above,
        *prediction_sections(figures, folder, model, names),
        *absence_sections(figures, names),
        *ceiling_sections(folder),
        *worth_sections(figures, names),
        *perceived(folder, names),
        *calibration_sections(folder, names, confidence),
        *robustness_sections(folder, model, names),
        *example_sections(folder, data, mains(config), summary.get("shapley") or {}),
        *looks(folder, data),
    ]
    batch = data.samples[data.split["test"][:PROFILED].tolist()]
    return {"sections": sections, "cost": {**cost_of(model, batch), "training": f"{summary['seconds']:g} s"}}
