"""Predictions of a finished run for new samples, read from a manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console

from crossfade.build import build, build_data, modality_specs
from crossfade.data.manifest import ManifestSource
from crossfade.data.module import SPLITS
from crossfade.errors import UserError
from crossfade.evaluation.reopen import device_of, reopen_config, reopen_model
from crossfade.evaluation.scored import predictions_arrays, predictions_table, score
from crossfade.runs import RunFolder, npz, write_bytes


def predict(folder: Path, manifest: Path, output: Path | None = None, checkpoint: str = "best") -> Path:
    """Write one row per row of the manifest: ID, predicted value, probability per class; CSV or Parquet by suffix.

    The manifest has the columns that the run's modalities were read from; the truth is not needed. Raises UserError
    for a run or manifest that cannot be read.
    """
    output = output or folder / "predictions" / f"{manifest.stem}.csv"
    if output.suffix not in (".csv", ".parquet"):
        raise UserError(f"output={output}: write to a file that ends in .csv or .parquet.")
    if output.is_dir() or output.resolve() == manifest.resolve():
        what = "is a folder" if output.is_dir() else "is the manifest itself"
        raise UserError(f"output={output}: {what}. Give another file.")
    run = RunFolder.open(folder)
    if output.resolve() in [run.predictions_file(split).resolve() for split in SPLITS]:
        raise UserError(f"output={output}: holds the run's own predictions. Give another file: output=FILE.csv")
    config = reopen_config(run)
    fitted = run.fitted()
    part = manifest_part(config.data.source or {}, manifest, config.data.on_error)
    source = build(part, modalities=modality_specs(config), targets={}, seed=config.seed)
    data = build_data(config, source=source, targets={})
    data.cache_gb = None  # new samples are encoded once: kept features of them would crowd out those of trainings
    rows = np.arange(len(data.frame.ids))
    for name, transform in data.transforms.items():
        transform.fitted = fitted["modalities"][name]
    usable = data.samples.prepare([], rows.tolist(), config.data.on_error, fit=False)
    if not len(usable):
        raise UserError(f"{manifest}: no row holds a readable modality of {', '.join(data.transforms)}.")
    data.split = {"predict": usable}
    model = reopen_model(config, run, checkpoint)
    scored = score(model, data, "predict", device_of(config))
    table = predictions_table(model, scored, with_truth=False)
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.suffix == ".csv":
        table.to_csv(output, index=False)
    else:
        table.to_parquet(output, index=False)
    for name, arrays in predictions_arrays(model, scored).items():
        beside = output.with_name(f"{output.stem}_{name}.npz")
        write_bytes(beside, npz(arrays))
        Console().print(f"{name}: what does not fit a table is in [bold]{beside}[/bold]", soft_wrap=True)
    Console().print(f"{len(table)} predictions written to [bold]{output}[/bold]", soft_wrap=True)
    return output


def manifest_part(source: dict[str, object], manifest: Path, on_error: str) -> dict[str, object]:
    """The part that reads `manifest` with the column names of the run's own source, where that was a manifest too."""
    if not manifest.is_file():
        raise UserError(f"manifest={manifest}: no such file. Give a CSV or Parquet table.")
    columns = {k: source[k] for k in ("id", "group") if source.get(k)}
    return {
        "_target_": f"{ManifestSource.__module__}.{ManifestSource.__qualname__}",
        "manifest": str(manifest),
        "root": str(manifest.parent),
        "predict": True,
        "on_error": on_error,
        **columns,
    }
