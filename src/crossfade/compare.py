"""Several runs compared: which is best, and which cannot be told from it.

Runs of one setting with other seeds or folds are repeats of one model. With one repeat each, two models are compared
on their test samples; with several, over the seeds and folds that they share, by the corrected resampled t-test.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from crossfade.analysis.paired import compare_tables
from crossfade.analysis.results_table import short
from crossfade.analysis.statistics import Compared, corrected_t, holm
from crossfade.analysis.verdict import caution, spoken_p, verdict
from crossfade.config import RunConfig, effective
from crossfade.errors import UserError
from crossfade.registry import find_part
from crossfade.runs import RunFolder
from crossfade.runs.find import is_run
from crossfade.targets import target_class

FEW_REPEATS = 5  # under which a t-test has little power


@dataclass
class Repeat:
    """One trained model: where it is, its metrics, and how many test samples stand against its training samples."""

    folder: RunFolder
    metrics: dict[str, float | None]
    test_share: float


@dataclass
class Model:
    """One setting, and its repeats by (seed, fold)."""

    label: str
    repeats: dict[tuple[int, int | None], Repeat] = field(default_factory=dict)

    def values(self, metric: str) -> list[float]:
        """The metric of each repeat that has it."""
        found = (repeat.metrics.get(metric) for repeat in self.repeats.values())
        return [value for value in found if value is not None]

    def mean(self, metric: str) -> float:
        return statistics.fmean(self.values(metric))


@dataclass(frozen=True)
class Comparison:
    """A model against the best: difference, p adjusted for the number of comparisons, and what it rests on."""

    label: str
    difference: Compared | None
    p: float
    evidence: str
    groups: int | None = None  # of the test samples, where they are what it rests on


def compare(paths: Sequence[Path], metric: str | None = None) -> dict[str, Any]:
    """Print the table and the sentences; return them as plain data.

    `paths` are runs, cross-validations, or folders of runs (a sweep). Raises UserError for runs that are not finished,
    that were not trained on the same task, or not tested on the same samples.
    """
    folders = [run for path in paths for run in _expanded(path)]
    configs = [folder.run_config() for folder in folders]
    targets = {config.task.targets[0] for config in configs}
    if len(targets) > 1:
        raise UserError(f"The runs predict different targets ({', '.join(sorted(targets))}). Compare those of one.")
    (target,) = targets
    name = folders[0].summary()["main"] if metric is None else f"{target}/{metric}"
    models = _models(folders, configs, name)
    better = _direction(configs[0], name)
    ranked = sorted(models, key=lambda m: m.mean(name), reverse=better == "max")
    multiclass = configs[0].target[target].kind == "multiclass"
    compared = _against_best(ranked, name, multiclass)
    _print(ranked, compared, name, better)
    return {
        "metric": name,
        "models": [{"label": m.label, "mean": m.mean(name), "repeats": len(m.values(name))} for m in ranked],
        "comparisons": [
            {"label": c.label, "p": c.p, "difference": c.difference and c.difference.value} for c in compared
        ],
    }


def _expanded(path: Path) -> list[RunFolder]:
    """The runs behind a path: itself, its folds, or the jobs of a sweep. Raises UserError where one is not finished."""
    if not is_run(path) and (jobs := sorted(p.parent for p in path.glob("*/config.yaml") if is_run(p.parent))):
        return [run for job in jobs for run in _expanded(job)]
    run = RunFolder.open(path)
    config = run.run_config()
    if config.folds is not None and config.data.fold is None:
        return [fold for k in range(config.folds) for fold in _expanded(run.path / f"fold_{k}")]
    if not run.is_finished():
        raise UserError(f"{run.path} is not finished: leave it out, or go on with it first: resume={run.path}")
    return [run]


def _direction(config: RunConfig, name: str) -> str:
    target, _, metric = name.partition("/")
    return target_class(config.target[target]).direction(metric)


def _models(folders: Sequence[RunFolder], configs: Sequence[RunConfig], name: str) -> list[Model]:
    """The runs by setting, and the best single modality where the runs have trained them."""
    settings: dict[str, tuple[dict[str, Any], Model]] = {}
    singles: dict[str, Model] = {}
    for folder, config in zip(folders, configs, strict=True):
        summary = folder.summary()
        if name not in summary["metrics"]:
            known = ", ".join(m.partition("/")[2] for m in summary["metrics"] if m.startswith(name.partition("/")[0]))
            raise UserError(f"metric={name.partition('/')[2]}: {folder.path} has no such metric. It has {known}.")
        flat = _flat(effective(config))
        place = (int(flat.pop("seed")), flat.pop("data.fold"))
        for key in ("folds", "singles"):
            flat.pop(key, None)
        _, model = settings.setdefault(repr(sorted(flat.items())), (flat, Model("")))
        share = summary["samples"]["test"] / summary["samples"]["train"]
        model.repeats[place] = Repeat(folder, summary["metrics"], share)
        for single, alone in (summary.get("singles") or {}).items():
            inside = RunFolder(folder.path / alone["folder"])
            singles.setdefault(single, Model(f"{single} alone")).repeats[place] = Repeat(
                inside, alone["metrics"], share
            )
    models = _labelled(list(settings.values()))
    lacking = [model.label for model in models if not model.values(name)]
    if lacking:
        raise UserError(f"metric={name.partition('/')[2]}: not defined in any run of {', '.join(lacking)}.")
    trained = [model for model in singles.values() if model.values(name)]
    if trained:
        pick = max if _direction(configs[0], name) == "max" else min
        models.append(pick(trained, key=lambda model: model.mean(name)))
    if len(models) < 2:
        raise UserError("There is one model only: these runs differ in nothing but seed and fold. Give others as well.")
    return models


def _flat(node: dict[str, Any], path: str = "") -> dict[str, Any]:
    """A nested mapping as one of dotted keys."""
    out: dict[str, Any] = {}
    for key, value in node.items():
        here = f"{path}.{key}" if path else key
        out |= _flat(value, here) if isinstance(value, dict) and value else {here: value}
    return out


def _labelled(settings: list[tuple[dict[str, Any], Model]]) -> list[Model]:
    """Each model named by its strategy and by whatever else tells the settings apart."""
    keys = {key for flat, _ in settings for key in flat}
    varying = sorted(k for k in keys if len({repr(flat.get(k)) for flat, _ in settings}) > 1)
    other = {k.removesuffix("._target_") for k in varying if k.endswith("._target_")}  # the part itself is another one

    def of_part_alone(key: str) -> bool:
        """Does it vary only because other parts have no such field?"""
        having = [flat for flat, _ in settings if key in flat]
        lacking = [flat for flat, _ in settings if key not in flat]
        if key.endswith("._target_") or len({repr(flat[key]) for flat in having}) > 1:
            return False
        targets = [f"{part}._target_" for part in other if key.startswith(f"{part}.")]
        return any({flat.get(t) for flat in having}.isdisjoint(flat.get(t) for flat in lacking) for t in targets)

    for flat, model in settings:
        parts = [_option("fusion", flat["fusion._target_"])]
        for key in varying:
            if key in flat and key != "fusion._target_" and not of_part_alone(key):
                part = key.removesuffix("._target_")
                value = _option(part, flat[key]) if part != key else flat[key]
                parts.append(f"{part.removeprefix('fusion.')}={'none' if value is None else value}")
        model.label = " ".join(parts)
    return [model for _, model in settings]


def _option(group: str, target: str) -> str:
    """The option of a group by its `_target_`, or its class where no YAML has it."""
    found = find_part(group.replace(".", "/"), target)
    return found[0] if found else target.rpartition(".")[2]


def _against_best(ranked: list[Model], name: str, multiclass: bool) -> list[Comparison]:
    """Every other model against the first, the p-values adjusted by Holm's method."""
    best, *others = ranked
    found = [_pair(best, other, name, multiclass) for other in others]
    p_of = {i: d.p for i, (d, _, _) in enumerate(found) if d is not None and not math.isnan(d.p)}
    adjusted = dict(zip(p_of, holm(list(p_of.values())), strict=True))
    return [
        Comparison(other.label, d, adjusted.get(i, math.nan), evidence, groups)
        for i, (other, (d, evidence, groups)) in enumerate(zip(others, found, strict=True))
    ]


def _pair(a: Model, b: Model, name: str, multiclass: bool) -> tuple[Compared | None, str, int | None]:
    """a − b, what it rests on, and the number of test groups where that is samples."""
    target, metric = name.split("/", 1)
    shared = [k for k in a.repeats if k in b.repeats]
    if not shared:
        raise UserError(
            f"{a.label} and {b.label} share no seed and fold, so nothing can be paired. Train one with both."
        )
    if len(shared) == 1:
        runs = (a.repeats[shared[0]].folder, b.repeats[shared[0]].folder)
        one, other = (run.predictions("test") for run in runs)
        drawn = (runs[0].table(f"resamples_{target}"), runs[1].table(f"resamples_{target}"))
        try:
            found = compare_tables(one, other, target, metric, multiclass, drawn)
        except ValueError as error:
            where = " and ".join(str(model.repeats[shared[0]].folder.path) for model in (a, b))
            raise UserError(f"{where}: {error}. Compare runs of the same data, seed and fold.") from error
        groups = int(one["group"].nunique())
        evidence = f"{len(one)} test samples" if found is not None else "one run each, and no test of this metric"
        return found, evidence, groups
    pairs = [(a.repeats[k].metrics[name], b.repeats[k].metrics[name]) for k in shared]
    differences = [x - y for x, y in pairs if x is not None and y is not None]
    share = statistics.fmean(a.repeats[k].test_share for k in shared)
    return corrected_t(differences, share), _repeats(shared), None


def _repeats(places: Sequence[tuple[int, int | None]]) -> str:
    """ "3 seeds × 5 folds"."""
    counts = [
        (len({seed for seed, _ in places}), "seed"),
        (len({fold for _, fold in places if fold is not None}), "fold"),
    ]
    return " × ".join(f"{n} {word}{'s' * (n > 1)}" for n, word in counts if n > (0 if word == "seed" else 1))


def _print(ranked: list[Model], compared: list[Comparison], name: str, better: str) -> None:
    console = Console()
    best = ranked[0]
    table = Table(title=name.replace("/", " · ").replace("_", " "), title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("model")
    for heading in ("mean", "± sd", "best − it", "p"):
        table.add_column(heading, justify="right")
    by_label = {c.label: c for c in compared}
    for model in ranked:
        values = model.values(name)
        sd = short(statistics.stdev(values)) if len(values) > 1 else "–"
        c = by_label.get(model.label)
        table.add_row(model.label, short(model.mean(name)), sd, *_cells(c), style="bold" if model is best else "")
    console.print(table)
    for c in compared:
        console.print(_sentence(best, ranked, c, name, better), highlight=False)
    fewest = min(len(model.values(name)) for model in ranked)
    if 1 < fewest < FEW_REPEATS:
        console.print(f"Only {fewest} repeats: a difference must be large to be seen. Train more seeds or folds.")


def _cells(c: Comparison | None) -> tuple[str, str]:
    if c is None or c.difference is None:
        return "", ""
    d = c.difference
    interval = "" if math.isnan(d.low) else f" [{d.low:+.3f}, {d.high:+.3f}]"
    return f"{d.value:+.3f}{interval}".replace("[", r"\["), "" if math.isnan(c.p) else spoken_p(c.p)


def _sentence(best: Model, ranked: list[Model], c: Comparison, name: str, better: str) -> str:
    other = next(model for model in ranked if model.label == c.label)
    if c.difference is None:
        return f"{best.label} and {c.label}: not tested ({c.evidence}). Train several seeds or folds to compare them."
    values = (best.mean(name), other.mean(name))
    adjusted = c.difference._replace(p=c.p)
    metric = name.partition("/")[2]
    sentence = verdict(best.label, c.label, metric, values, adjusted, c.evidence, better)
    return sentence.replace("[", r"\[") + ("" if c.groups is None else caution(c.groups))
