"""Frozen features of the training and validation samples: of a task before any training, or of a run's own encoders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from crossfade.advise.chosen import Chosen
from crossfade.advise.labels import labels_of, served
from crossfade.build import build_data, build_model
from crossfade.config import RunConfig
from crossfade.data.module import DataModule
from crossfade.data.splits import make_split
from crossfade.errors import UserError
from crossfade.evaluation.reopen import reopen_data, reopen_model
from crossfade.layers.masking import masked_mean
from crossfade.model import FusionModel
from crossfade.runs import RunFolder
from crossfade.seeding import derived

MOST, MANY, FEWER = 1500, 3, 1200  # samples that are looked at; of more modalities than `MANY` fewer: a minute
BATCH = 64
FEWEST = 60  # samples judged, under which nothing can be said


@dataclass(frozen=True)
class Frozen:
    """Features (N, D_m) and presence (N,) by modality, class numbers (N,), groups (N,).

    `judged` (N,) bool: whose label the features have not seen. `target` and `notes` say in words what this is.
    """

    features: dict[str, np.ndarray]
    present: dict[str, np.ndarray]
    labels: np.ndarray
    groups: np.ndarray
    judged: np.ndarray
    target: str
    notes: list[str]


def of_task(config: RunConfig) -> Frozen:
    """Features of encoders as they come (of tables the table itself), nothing trained; the test split is not read."""
    _check_modalities(config)
    name = served({t: config.target[t] for t in config.task.targets})
    data = _without_test(config)
    model = build_model(config, data.fitted).eval()
    rows = np.sort(np.concatenate(list(data.split.values())))
    columns: dict[str, list[Tensor]] = {m: [] for m in model.modalities}
    for start in range(0, len(rows), BATCH):
        batch = data.samples[rows[start : start + BATCH].tolist()]
        for column, m in enumerate(model.modalities):
            if config.modality[m].kind == "table":
                found = _table(batch.inputs[m], data.fitted["modalities"][m]["cardinality"])
            else:
                with torch.no_grad():
                    found = _pooled(*model.encode(m, batch.inputs[m], batch.presence[:, column]))
            columns[m].append(found)
    how = [m for m in model.modalities if config.modality[m].kind == "table"]
    encoded = [m for m in model.modalities if m not in how]
    note = "Features: " + "; ".join(
        [f"{', '.join(how)} as they are"] * bool(how)
        + [f"{', '.join(encoded)} through untrained encoders"] * bool(encoded)
    )
    given = [m for m in encoded if model.encoders[model.encoder_of[m]].pretrained]
    note = (
        note.replace("untrained encoders", "encoders as they come (trained elsewhere or not at all)") if given else note
    )
    return _frozen(config, data, model, rows, columns, np.ones(len(rows), bool), name, [f"{note}."])


def of_run(folder: RunFolder) -> Frozen:
    """What a run's fusion sees, `FusionModel.embed`; judged on validation samples, whose labels trained nothing."""
    config = folder.run_config()
    _check_modalities(config)
    name = served({t: config.target[t] for t in config.task.targets})
    if not (folder.checkpoints / "best.ckpt").exists():
        raise UserError(f"{folder.path} has no checkpoints/best.ckpt yet. Go on with it first: resume={folder.path}")
    data = reopen_data(config, folder)
    model = reopen_model(config, folder, "best")
    rng = np.random.default_rng(derived(config.seed, "advise"))
    val = data.split["val"]
    train = data.split["train"]
    train = np.sort(rng.permutation(train)[: max(0, _most(config) - len(val))])
    rows = np.concatenate([train, val])
    columns: dict[str, list[Tensor]] = {m: [] for m in model.modalities}
    for start in range(0, len(rows), BATCH):
        batch = data.samples[rows[start : start + BATCH].tolist()]
        with torch.no_grad():
            tokens, mask = model.embed(batch.inputs, batch.presence)
        for column, m in enumerate(model.modalities):
            columns[m].append(_pooled(tokens[:, column], mask[:, column]))
    note = (
        f"Features: the embeddings of {folder.path}. Its encoders have seen the labels of the {len(train)} training "
        f"samples, so all is judged on the {len(val)} validation samples."
    )
    judged = np.arange(len(rows)) >= len(train)
    return _frozen(config, data, model, rows, columns, judged, name, [note])


def _check_modalities(config: RunConfig) -> None:
    if len(config.task.modalities) < 2:
        raise UserError(f"task.modalities={config.task.modalities}: advice on fusion needs two modalities or more.")


def _most(config: RunConfig) -> int:
    return MOST if len(config.task.modalities) <= MANY else FEWER


def _without_test(config: RunConfig) -> DataModule:
    """Some samples of the run's training and validation split, prepared.

    A DataModule wants a test split too: half of the validation samples stand for it.
    """
    whole = build_data(config)
    first = next(iter(whole.targets))
    split = make_split(whole.frame, first, whole.shares, whole.seed, whole.fold, whole.folds)
    rng = np.random.default_rng(derived(config.seed, "advise"))
    chosen, part = [], []
    rows = {name: split[name] for name in ("train", "val")}
    share = min(1.0, _most(config) / sum(map(len, rows.values())))
    for name, of in rows.items():
        picked = np.sort(_whole_groups(of, np.asarray(whole.frame.groups)[of], share, rng))
        chosen.append(picked)
        groups = np.unique(np.asarray(whole.frame.groups)[picked], return_inverse=True)[1]
        part += ["train" if name == "train" else ("val", "test")[g % 2] for g in groups]
    rows_of = np.concatenate(chosen)
    order = np.argsort(rows_of)
    data = build_data(config, source=Chosen(whole.source, rows_of[order], [part[i] for i in order]))
    data.fold = data.folds = None
    data.prepare()
    return data


def _whole_groups(rows: np.ndarray, groups: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    names, number = np.unique(groups, return_inverse=True)
    kept = rng.permutation(len(names)) < max(2, round(share * len(names)))
    return rows[kept[number]]


def _pooled(tokens: Tensor, mask: Tensor) -> Tensor:
    """Mean, and where there are several the largest, of the tokens that count: (B, L, D) → (B, D or 2D)."""
    mean = masked_mean(tokens, mask)
    if tokens.shape[1] == 1:
        return mean
    largest = tokens.masked_fill(~mask.unsqueeze(-1), torch.finfo(tokens.dtype).min).amax(1)
    return torch.cat([mean, largest.masked_fill(~mask.any(1, keepdim=True), 0.0)], 1)


def _table(x: Tensor, cardinality: list[int]) -> Tensor:
    """Columns (B, F), NaN = missing entry → numbers with 0 for what is missing, categories and gaps as 0/1."""
    parts = [x.isnan().to(x.dtype)]
    for f, count in enumerate(cardinality):
        column = x[:, f]
        if count:
            parts.append((column[:, None] == torch.arange(count, dtype=x.dtype)).to(x.dtype))
        else:
            parts.append(column.nan_to_num(0.0)[:, None])
    return torch.cat(parts, 1)


def _frozen(
    config: RunConfig,
    data: DataModule,
    model: FusionModel,
    rows: np.ndarray,
    columns: dict[str, list[Tensor]],
    judged: np.ndarray,
    name: str,
    notes: list[str],
) -> Frozen:
    index = torch.from_numpy(rows)
    labels, words = labels_of(config.target[name], data.samples.truth[name][index])
    known = labels >= 0
    labels = labels[known]
    judged = judged[known]
    if judged.sum() < FEWEST or len(np.unique(labels[judged])) < 2:
        raise UserError(
            f"target.{name}: {int(judged.sum())} samples of {len(np.unique(labels[judged]))} class(es) are left to "
            f"judge by; at least {FEWEST} of two are needed. Take more samples, or another target."
        )
    first = config.task.targets[0]
    notes = [
        f"{int(judged.sum())} samples judged, each by classifiers that have not seen its group; about {name}: {words}.",
        *notes,
    ]
    if name != first:
        notes.append(f"{first} ({config.target[first].kind}) has no classes; {name} is the first target that has.")
    present = data.samples.present[index].numpy()[known]
    return Frozen(
        features={m: torch.cat(parts).numpy()[known] for m, parts in columns.items()},
        present={m: present[:, i] for i, m in enumerate(model.modalities)},
        labels=labels,
        groups=np.asarray([str(data.frame.groups[i]) for i in rows])[known],
        judged=judged,
        target=name,
        notes=notes,
    )
