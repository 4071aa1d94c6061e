"""The figures of a finished run, of all its targets: as PNG in its folder, as SVG in its page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.analysis import figures
from crossfade.analysis.absence_figure import draw_absence
from crossfade.analysis.ceiling_table import ceiling_values
from crossfade.analysis.certainty_figure import draw_certainty
from crossfade.analysis.shapley_figure import draw_shares
from crossfade.config import RunConfig
from crossfade.results.rows import mains, rows_of
from crossfade.runs import RunFolder


def draw_run(
    config: RunConfig, folder: RunFolder, summary: Mapping[str, Any] | None, place: Path, suffix: str = ".png"
) -> dict[str, Path]:
    """Draw all that there is to draw into `place`; the files by "<figure> <target>", "training" alone.

    Without a summary the run is not finished: there are only its training curves.
    """
    drawn: dict[str, Path] = {}
    if folder.metrics_file.exists():
        main = mains(config)[0][1]
        drawn["training"] = place / f"training{suffix}"
        figures.training_curves(folder.metrics(), f"val/{main}", drawn["training"])
    if summary is None:
        return drawn
    rows = rows_of(summary)
    for i, (name, main, better) in enumerate(mains(config)):
        drawn[f"comparison {name}"] = place / (f"comparison_{name}{suffix}" if i else f"comparison{suffix}")
        figures.comparison(rows, main, drawn[f"comparison {name}"], better)
    for name, (truth, predicted, probability, classes) in class_predictions(config, folder).items():
        confusion, reliability = (place / f"{figure}_{name}{suffix}" for figure in ("confusion", "reliability"))
        figures.confusion_matrix(truth, predicted, classes, confusion)
        figures.reliability(probability, truth, classes, reliability)
        drawn |= {f"confusion {name}": confusion, f"reliability {name}": reliability}
    for name, main, better in mains(config):
        if (path := _absence(folder, summary, name, main, better, place / f"absence_{name}{suffix}")) is not None:
            drawn[f"absence {name}"] = path
        values, pairs = folder.table(f"shapley_{name}"), folder.table(f"shapley_pairs_{name}")
        if values is not None:
            drawn[f"shapley {name}"] = place / f"shapley_{name}{suffix}"
            draw_shares(values, pairs, summary["shapley"][name]["of"], drawn[f"shapley {name}"])
    for name, (truth, _, probability, classes) in class_predictions(config, folder).items():
        table = folder.table(f"certainty_{name}")
        if table is not None:
            drawn[f"certainty {name}"] = place / f"certainty_{name}{suffix}"
            label = np.array([classes.index(one) if one in classes else -1 for one in truth])
            draw_certainty(table, probability[label >= 0], label[label >= 0], drawn[f"certainty {name}"])
    return drawn


def class_predictions(
    config: RunConfig, folder: RunFolder
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]]:
    """By multi-class target: truth, prediction, probabilities (n, C) of the test samples whose truth is known, classes.

    Nothing of a cross-validation, whose predictions stand in its folds.
    """
    found = {}
    for name in config.task.targets:
        if config.target[name].kind != "multiclass" or not folder.predictions_file("test").exists():
            continue
        predictions = folder.predictions("test")
        known = predictions[predictions[f"{name}.truth"].notna()]
        columns = [c for c in map(str, known) if c.startswith(f"{name}.p(")]
        classes = [c[len(name) + 3 : -1] for c in columns]
        truth, predicted = (known[f"{name}.{of}"].astype(str).to_numpy() for of in ("truth", "predicted"))
        found[name] = (truth, predicted, known[columns].to_numpy(), classes)
    return found


def _absence(
    folder: RunFolder, summary: Mapping[str, Any], name: str, main: str, better: str, path: Path
) -> Path | None:
    """Where the patterns were scored; models trained on just a pattern stand beside it."""
    patterns = folder.table(f"absence_{name}")
    if patterns is None:
        return None
    alone = {single: s["metrics"][main] for single, s in (summary.get("singles") or {}).items()}
    known = {frozenset([single]): value for single, value in alone.items() if value is not None}
    if (ceilings := folder.table(f"ceiling_{name}")) is not None:
        known |= ceiling_values(ceilings, summary["modalities"])
    draw_absence(patterns, folder.table(f"absence_rate_{name}"), main.partition("/")[2], known, better, path)
    return path
