"""Where a run's model looks, sample by sample: in images, in words, in columns, in time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from torch import Tensor

from crossfade.allowed import find_class
from crossfade.analysis.results_table import short_change
from crossfade.batch import Batch
from crossfade.data.module import SPLITS, DataModule
from crossfade.errors import UserError, did_you_mean
from crossfade.evaluation.reopen import device_of, reopen_data, reopen_model
from crossfade.explanation.attribution import integrated_gradients
from crossfade.explanation.places import COLUMNS, places_of
from crossfade.explanation.rollout import attention_rollout
from crossfade.model import FusionModel
from crossfade.registry import groups, read_option
from crossfade.report.looks import sample_piece, shapley_of
from crossfade.results.explained import Explained, explanation_folder, file_name, not_installed
from crossfade.runs import RunFolder
from crossfade.runs.files import write_text
from crossfade.specs import TargetSpec
from crossfade.targets import target_class
from crossfade.targets.base import Target

console = Console()
AVERAGED = 512  # training samples


def explain(
    path: Path,
    samples: int = 8,
    ids: Sequence[str] = (),
    target: str | None = None,
    method: str = "integrated_gradients",
) -> Explained:
    """Explain the first samples of the test split, or those of these ids, and write explain/<target>_<method>/.

    Raises UserError for a run that is not finished, an id that it has not, a target of which no number is there to
    explain, or a package that is not installed.
    """
    if problems := not_installed(method):
        raise UserError(*problems)
    run = RunFolder.open(path)
    fitted = run.fitted()  # says of a cross-validation that its folds are the runs
    if not run.is_finished():
        state = run.status().state if run.status_file.exists() else "not started"
        raise UserError(f"run={path}: not finished (status: {state}). Go on with it first: resume={path}")
    config = run.run_config()
    name = _target(config.task.targets, config.target, target, method)
    data = reopen_data(config, run)
    rows = _rows(data, samples, ids)
    model = reopen_model(config, run, run.summary()["checkpoint"]).to(device_of(config))
    batch = data.samples[rows].to(device_of(config))
    described = _described(model, data, name, rows, batch)
    places, lacking, core = _places(model, data, name, batch, method, described)
    explained = Explained(explanation_folder(run, name, method), name, method, described, lacking)
    raws = [data.source.read(row) for row in rows]
    tables = {
        sample["file"]: _table(data, fitted, batch, raws[i], places, i, core) for i, sample in enumerate(described)
    }
    explained.write(tables)
    shares = run.table(f"shapley_samples_{name}")
    for sample, raw in zip(described, raws, strict=True):
        piece = sample_piece(explained, sample, data, raw, shares)
        write_text(explained.folder / f"{sample['file']}.html", f'<meta charset="utf-8">\n{piece}\n')
    _show(explained, tables, shares)
    return explained


def _target(used: Sequence[str], specs: dict[str, TargetSpec], asked: str | None, method: str) -> str:
    """The target to explain: the one asked for, or the first of which there is a number."""
    if asked is not None and asked not in used:
        raise UserError(
            f"target={asked}: the run has no such target.{did_you_mean(asked, used)} It has {', '.join(used)}."
        )
    if method == "rollout":  # it is of the encoders, whatever is predicted
        return asked or used[0]
    served = [name for name in used if _has_number(target_class(specs[name]))]
    if asked is None and served:
        return served[0]
    if asked in served:
        return asked
    parts = {kind: find_class(read_option("target", kind)["_target_"]) for kind in groups()["target"]}
    kinds = ", ".join(kind for kind, part in parts.items() if _has_number(part))
    what = "; ".join(f"{name} is of kind {specs[name].kind}" for name in ([asked] if asked else used))
    raise UserError(
        f"{f'target={asked}: ' if asked else ''}{what}, which says no one number of a sample that gradients could "
        f"explain. Served are {kinds}"
        + (f": target={served[0]}" if served else "")
        + "; method=rollout serves every target."
    )


def _has_number(kind: type[Target]) -> bool:
    return kind.explained is not Target.explained


def _rows(data: DataModule, samples: int, ids: Sequence[str]) -> list[int]:
    """The samples' rows in the source: of these ids in any split, or the first of the test split."""
    if not ids:
        return data.split["test"][:samples].tolist()
    place = {str(data.frame.ids[row]): int(row) for split in SPLITS for row in data.split[split]}
    unknown = [one for one in ids if one not in place]
    if unknown:
        some = ", ".join(str(data.frame.ids[row]) for row in data.split["test"][:3])
        raise UserError(
            *(f"ids={one}: the run has no such sample.{did_you_mean(one, place)}" for one in unknown),
            f"It has {len(place)}; those of the test split begin with {some}.",
        )
    return [place[one] for one in dict.fromkeys(ids)]


def _described(model: FusionModel, data: DataModule, name: str, rows: list[int], batch: Batch) -> list[dict[str, Any]]:
    """Of each sample its id, its file's name, its truth and what was predicted, in words."""
    target = model.targets[name]
    assert isinstance(target, Target)
    prediction = target.prediction(model(batch.inputs, batch.presence)[name].detach())
    table = target.columns(prediction.cpu().numpy(), data.samples.truth[name][rows].numpy())
    columns = {of: [c for c in map(str, table) if c.startswith(f"{name}.{of}")] for of in ("truth", "predicted")}
    ids = [str(data.frame.ids[row]) for row in rows]
    return [
        {"id": one, "file": file_name(one)} | {of: _words([row[c] for c in named]) for of, named in columns.items()}
        for one, (_, row) in zip(ids, table.iterrows(), strict=True)
    ]


def _words(cells: Sequence[Any]) -> str:
    known = [cell for cell in cells if cell is not None and cell == cell]
    told = [f"{cell:.4g}" if isinstance(cell, float | np.floating) else str(cell) for cell in known[:4]]
    return ", ".join(told) + (" …" if len(known) > 4 else "")


def _places(
    model: FusionModel, data: DataModule, name: str, batch: Batch, method: str, described: list[dict[str, Any]]
) -> tuple[dict[str, Tensor], dict[str, str], dict[str, Tensor]]:
    """By modality the values (n, …), why others have none, and of rollout those of the core's tokens, by their names.

    Adds to what is described.
    """
    kinds = {modality: transform.spec.kind for modality, transform in data.transforms.items()}
    if method == "rollout":
        rolled = attention_rollout(model, batch)
        core = {} if rolled.core is None else dict(zip(rolled.tokens, rolled.core.unbind(1), strict=True))
        return rolled.places, rolled.lacking, core
    found = integrated_gradients(model, kinds, name, batch, _average(data, kinds))
    numbers = zip(found.names, found.value, found.baseline, found.gap, found.steps, strict=True)
    for sample, (what, value, baseline, gap, steps) in zip(described, numbers, strict=True):
        sample |= {
            "explained": what,
            "value": float(value),
            "baseline": float(baseline),
            "gap": float(gap),
            "steps": int(steps),
        }
    lacking = {m: "no cloud of points lies between nothing and a cloud" for m, k in kinds.items() if k == "points"}
    return found.places, lacking, {}


def _average(data: DataModule, kinds: Mapping[str, str]) -> dict[str, Tensor]:
    """The mean image and the mean series of the training split's first samples that have one; a missing entry is 0."""
    batch = data.samples[data.split["train"][:AVERAGED].tolist()]
    found = {}
    for column, name in enumerate(sorted(kinds)):
        own = batch.inputs[name][batch.presence[:, column]]
        if kinds[name] in ("image", "series") and len(own):
            found[name] = own.nanmean(0).nan_to_num(0.0)
    return found


def _table(
    data: DataModule,
    fitted: dict[str, Any],
    batch: Batch,
    raw: dict[str, Any],
    places: dict[str, Tensor],
    i: int,
    core: dict[str, Tensor],
) -> pd.DataFrame:
    """The values of all places of the i-th sample, of the modalities that it has, and of the core's tokens."""
    parts = []
    for column, (name, transform) in enumerate(sorted(data.transforms.items())):
        if name not in places or name not in raw or not batch.presence[i, column]:
            continue
        values = places[name][i].double().cpu().numpy()
        if transform.spec.kind == "image" and values.ndim == 1:  # patches of a square image
            side = math.isqrt(len(values))
            values = values.reshape(side, side)
        parts.append(places_of(transform.spec, fitted["modalities"][name], raw[name], values))
    rows = [
        {"modality": "core", "kind": "core", "row": j, "name": name, "value": float(shares[i])}
        for j, (name, shares) in enumerate(core.items())
    ]
    if rows:
        parts.append(pd.DataFrame(rows, columns=COLUMNS))
    filled = [part.dropna(axis=1, how="all") for part in parts]
    return pd.concat(filled, ignore_index=True).reindex(columns=COLUMNS) if filled else pd.DataFrame(columns=COLUMNS)


def _show(explained: Explained, tables: dict[str, pd.DataFrame], shares: pd.DataFrame | None) -> None:
    """One line a sample: what was said, and what each modality added to it; then where it stands."""
    for sample in explained.samples:
        said = f"{sample['id']}  true {sample['truth'] or '–'}, said {sample['predicted']}"
        if "value" in sample:
            said += f"; {sample['explained']} {sample['baseline']:.3f} → {sample['value']:.3f}"
        console.print(said, highlight=False, markup=False, soft_wrap=True)
        table, own = tables[sample["file"]], shapley_of(shares, sample["id"])
        if explained.method != "rollout":
            sums = table.groupby("modality")["value"].sum().sort_values(ascending=False)
            told = (
                f"{m} {short_change(v)}" + (f" (Shapley {short_change(own[m])})" if m in own else "")
                for m, v in sums.items()
            )
            console.print("   " + "  ".join(told), highlight=False, markup=False, soft_wrap=True)
    worst = max((abs(sample.get("gap", 0.0)) for sample in explained.samples), default=0.0)
    if explained.method != "rollout":
        steps = max(sample["steps"] for sample in explained.samples)
        console.print(f"Sums are complete to {worst:.1g} (up to {steps} steps).", highlight=False)
    for modality, why in explained.lacking.items():
        console.print(f"{modality}: {why}", highlight=False, markup=False)
    console.print(
        f"\n{explained.folder}\nNext:  crossfade report run={explained.folder.parents[1]}",
        soft_wrap=True,
        highlight=False,
    )
