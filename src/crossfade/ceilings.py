"""The upper bound of a presence pattern: the same settings, trained on just those modalities."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor

from crossfade.analysis.ceiling_table import ceiling_cells, ceiling_sentence, write_ceilings
from crossfade.analysis.paired import compare_tables
from crossfade.analysis.statistics import Compared
from crossfade.config import RunConfig
from crossfade.data.module import DataModule
from crossfade.errors import UserError
from crossfade.evaluation.absence import decided, embedded_split
from crossfade.evaluation.reopen import device_of, reopen_data, reopen_model
from crossfade.evaluation.scored import Scored, predictions_table
from crossfade.evaluation.summary import main_resamples, resamples_table
from crossfade.experiment import single, train_and_score
from crossfade.model import FusionModel
from crossfade.results.figures import draw_run
from crossfade.results.rows import mains
from crossfade.runs import RunFolder
from crossfade.targets.base import Target
from crossfade.training.module import compute_metrics

Names = tuple[str, ...]


def chosen_patterns(wanted: str | Sequence[Sequence[str]], modalities: Sequence[str]) -> list[Names]:
    """The patterns to train, each in the order of `modalities`, the fuller first; never the full one.

    `wanted`: "single_losses" (each modality left out), "singles" (each alone), "all", or lists of names.
    Raises UserError for a name that is none of the modalities, an empty list, and the full pattern: that is the run.
    """
    count = len(modalities)
    sizes = {"single_losses": [count - 1], "singles": [1], "all": range(count - 1, 0, -1)}
    if isinstance(wanted, str):
        return [names for size in sizes[wanted] for names in combinations(modalities, size)]
    problems, found = [], []
    for names in wanted:
        if unknown := [name for name in names if name not in modalities]:
            problems.append(f"patterns: {unknown[0]} is no modality of the run. It has {', '.join(modalities)}.")
        elif not names or set(names) == set(modalities):
            what = "names all modalities: that is the run itself" if names else "is empty"
            problems.append(f"patterns: [{','.join(names)}] {what}. Leave at least one out, and one in.")
        else:
            found.append(tuple(name for name in modalities if name in names))
    if problems:
        raise UserError(*problems)
    return sorted(dict.fromkeys(found), key=lambda names: -len(names))


def ceiling_config(config: RunConfig, names: Names) -> RunConfig:
    """The run's config with these modalities only; a fixed α is renormalised over them, as in the model."""
    fusion = dict(config.fusion)
    if isinstance(fusion.get("alpha"), dict):
        total = math.fsum(fusion["alpha"].get(name, 0.0) for name in names)
        fusion["alpha"] = {name: fusion["alpha"].get(name, 0.0) / total for name in names} if total else None
    return config.model_copy(
        update={
            "name": "+".join(names),
            "alpha": None,
            "singles": False,
            "patterns": False,
            "resume": None,
            "task": config.task.model_copy(update={"modalities": list(names)}),
            "fusion": fusion,
            "logger": {},
        }
    )


def train_ceilings(folder: Path, wanted: str | Sequence[Sequence[str]] = "single_losses") -> dict[str, pd.DataFrame]:
    """Train what is wanted and not there yet, write ceiling_<target>.csv, draw the figure of absence, print the table.

    One modality alone is the run's single model (singles/<name>); others stand in ceilings/<a+b>/, each a run that is
    gone on with where it was stopped. Patterns of earlier calls stay in the table. Returns it by target.
    """
    run = RunFolder.open(folder)
    config = run.run_config()
    _check(config, run)
    patterns = chosen_patterns(wanted, config.task.modalities)
    model, data = reopen_model(config, run, run.summary()["checkpoint"]), reopen_data(config, run)
    print(f"{len(patterns)} pattern{'s' * (len(patterns) != 1)}; the run itself took {run.summary()['seconds']:g} s.")
    device = device_of(config)
    tokens, mask = embedded_split(model, data, "test", device)
    found: dict[str, list[dict[str, object]]] = {name: [] for name, _, _ in mains(config)}
    for names in patterns:
        place = _trained(config, run, data, names)
        alone = reopen_model(place.run_config(), place, place.summary()["checkpoint"])
        ceiling = _scored(alone, data.of(names), *embedded_split(alone, data.of(names), "test", device), names)
        ours = _scored(model, data, tokens, mask, names)
        for name, main, _ in mains(config):
            row = _row(config, name, main, (model, ours), (alone, ceiling))
            presence = {one: int(one in names) for one in model.modalities}
            found[name].append({**presence, **row, "folder": os.path.relpath(place.path, run.path)})
    tables = {name: write_ceilings(run, name, model.modalities, rows) for name, rows in found.items()}
    run.figures.mkdir(exist_ok=True)  # a sweep's jobs draw none of their own
    draw_run(config, run, run.summary(), run.figures)
    for name, main, better in mains(config):
        _print(name, main, better, tables[name], config.task.modalities)
    return tables


def _check(config: RunConfig, run: RunFolder) -> None:
    """Raise UserError for what has no patterns of its own to be compared with."""
    if config.folds is not None and config.data.fold is None:
        raise UserError(f"{run.path} is a cross-validation. Give one of its folds: {run.path / 'fold_0'}")
    if not run.is_finished():
        raise UserError(f"{run.path} is not finished. Go on with it first: resume={run.path}")
    if len(config.task.modalities) < 2:
        raise UserError(f"{run.path} has one modality, {config.task.modalities[0]}: there is nothing to take away.")


def _trained(config: RunConfig, run: RunFolder, data: DataModule, names: Names) -> RunFolder:
    """The finished run of a pattern."""
    overrides = run.overrides()
    if len(names) == 1:
        return RunFolder(run.path / single(config, run, data, names[0], overrides)["folder"])
    own, inside = ceiling_config(config, names), RunFolder(run.path / "ceilings" / "+".join(names))
    if not inside.is_finished():
        inside.path.mkdir(parents=True, exist_ok=True)
        if not inside.config_file.exists():
            inside.write_start(own.dump(), [*overrides, f"task.modalities=[{','.join(names)}]"])
        with inside.running():
            inside.write_summary(train_and_score(own, inside, data.of(names), "+".join(names)))
    return inside


def _scored(model: FusionModel, data: DataModule, tokens: Tensor, mask: Tensor, names: Names) -> Scored:
    """Predictions and metrics of the test samples that have any of these modalities, given these alone."""
    kept = torch.tensor([name in names for name in model.modalities], device=mask.device)
    rows = np.flatnonzero((mask[:, :, 0] & kept).any(1).cpu().numpy())
    outputs = decided(model, tokens, mask, kept, rows)
    model.cpu()
    index = data.split["test"][rows]
    scored = Scored({}, {}, {}, [str(data.frame.ids[i]) for i in index], [str(data.frame.groups[i]) for i in index])
    for name, output in outputs.items():
        target = model.targets[name]
        assert isinstance(target, Target)
        scored.prediction[name] = target.prediction(output)
        scored.truth[name] = data.samples.truth[name][torch.from_numpy(index)]
        metrics = compute_metrics(target, scored.prediction[name], scored.truth[name])
        scored.metrics |= {f"{name}/{metric}": value for metric, value in metrics.items()}
    model.to(mask.device)
    return scored


def _row(
    config: RunConfig,
    name: str,
    main: str,
    ours: tuple[FusionModel, Scored],
    ceiling: tuple[FusionModel, Scored],
) -> dict[str, object]:
    """One target under one pattern: both models' main metric, ceiling − ours with its interval, p not yet adjusted."""
    metric = main.partition("/")[2]
    tables = [predictions_table(model, scored) for model, scored in (ceiling, ours)]
    drawn = [main_resamples(model, scored).get(name) for model, scored in (ceiling, ours)]
    resamples = tuple(None if values is None else resamples_table(metric, values) for values in drawn)
    multiclass = config.target[name].kind == "multiclass"
    d = compare_tables(tables[0], tables[1], name, metric, multiclass, (resamples[0], resamples[1]))
    d = d or Compared(ceiling[1].metrics[main] - ours[1].metrics[main], math.nan, math.nan, math.nan)
    return {
        "samples": len(ours[1].ids),
        metric: ours[1].metrics[main],
        "ceiling": ceiling[1].metrics[main],
        "difference": d.value,
        "low": d.low,
        "high": d.high,
        "p": d.p,
    }


def _print(name: str, main: str, better: str, table: pd.DataFrame, modalities: Sequence[str]) -> None:
    metric = main.partition("/")[2]
    console = Console()
    shown = Table(title=f"{name} · {metric.replace('_', ' ')}", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("pattern", "this model", "trained on it", "difference", "p"):
        shown.add_column(heading, justify="left" if heading == "pattern" else "right")
    for cells in ceiling_cells(table, modalities, metric):
        shown.add_row(*(cell.replace("[", r"\[") for cell in cells))
    console.print(shown)
    console.print(ceiling_sentence(table, better), highlight=False)
