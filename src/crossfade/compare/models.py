"""From folders to models: a setting with its repeats over seeds and folds, all tested on the same samples."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossfade.compare.samples import check_samples
from crossfade.config import RunConfig, effective
from crossfade.errors import UserError, did_you_mean
from crossfade.experiment import single_config
from crossfade.registry import find_part
from crossfade.runs import RunFolder
from crossfade.runs.find import is_run
from crossfade.targets import target_class

Place = tuple[int, int | None]  # seed and fold


@dataclass
class Repeat:
    """One trained model: its folder, metrics and their intervals, and n_test/n_train."""

    folder: RunFolder
    metrics: dict[str, float | None]
    intervals: dict[str, Any]
    test_share: float


@dataclass
class Model:
    """One setting, and its repeats."""

    label: str
    repeats: dict[Place, Repeat] = field(default_factory=dict)
    single: str | None = None  # the modality, of one alone

    def values(self, metric: str) -> list[float]:
        """The metric of each repeat that has it."""
        found = (repeat.metrics.get(metric) for repeat in self.repeats.values())
        return [value for value in found if value is not None]

    def mean(self, metric: str) -> float:
        return statistics.fmean(self.values(metric))


@dataclass(frozen=True)
class Gathered:
    """The models, best first, the metric "<target>/<name>" that they are compared by, and what is to be told."""

    models: list[Model]
    metric: str
    better: str
    multiclass: bool
    notes: list[str]

    @property
    def single(self) -> Model | None:
        """The best single modality, where the runs have trained them."""
        return next((model for model in self.models if model.single is not None), None)


def gather(paths: Sequence[Path], metric: str | None) -> Gathered:
    """The models behind these folders: runs, cross-validations, or folders of runs (a sweep).

    Raises UserError for runs that are not finished, predict other targets, have not this metric, were not tested on
    the same samples, or are one model only.
    """
    notes: list[str] = []
    folders = list(_once(_runs(paths, notes), notes))
    if not folders:
        raise UserError(f"No finished run in {', '.join(map(str, paths))}.")
    configs = [folder.run_config() for folder in folders]
    name = _metric(folders, configs, metric)
    target = name.partition("/")[0]
    better = target_class(configs[0].target[target]).direction(name.partition("/")[2])
    fused, singles = _settings(folders, configs, name)
    notes += check_samples(folders, configs, target)
    lacking = [model.label for model in fused if not model.values(name)]
    if lacking:
        raise UserError(f"metric={name.partition('/')[2]}: not defined in any run of {', '.join(lacking)}.")
    pick = max if better == "max" else min
    trained = [model for model in singles if model.values(name)]
    most = max((len(model.values(name)) for model in trained), default=0)
    trained = [model for model in trained if len(model.values(name)) == most]
    models = [*fused, *([pick(trained, key=lambda model: model.mean(name))] if trained else [])]
    if len(models) < 2:
        raise UserError("There is one model only: these runs differ in nothing but seed and fold. Give others as well.")
    ranked = sorted(models, key=lambda model: model.mean(name), reverse=better == "max")
    return Gathered(ranked, name, better, configs[0].target[target].kind == "multiclass", notes)


def _runs(paths: Sequence[Path], notes: list[str]) -> Iterator[RunFolder]:
    """The finished runs behind the paths; one that is not finished is left out of a folder of runs, else refused."""
    for path in paths:
        jobs = [] if is_run(path) else sorted(p.parent for p in path.glob("*/config.yaml") if is_run(p.parent))
        if not jobs:
            yield from _of_run(path)
        for job in jobs:
            try:
                yield from list(_of_run(job))
            except Unfinished:
                notes.append(f"Left out, not finished: {job}")


class Unfinished(UserError):
    """A run that has not come to its end."""


def _of_run(path: Path) -> Iterator[RunFolder]:
    run = RunFolder.open(path)
    config = run.run_config()
    if config.folds is not None and config.data.fold is None:
        for k in range(config.folds):
            if not is_run(run.path / f"fold_{k}"):
                raise Unfinished(f"{path}: fold {k} has not begun. Go on with it first: resume={path}")
            yield from _of_run(run.path / f"fold_{k}")
        return
    if not run.is_finished():
        raise Unfinished(f"{run.path} is not finished: leave it out, or go on with it first: resume={run.path}")
    yield run


def _once(runs: Iterator[RunFolder], notes: list[str]) -> Iterator[RunFolder]:
    """Each run once, by whatever path it is given."""
    seen: set[Path] = set()
    twice: list[str] = []
    for run in runs:
        if (place := run.path.resolve()) in seen:
            twice.append(str(run.path))
            continue
        seen.add(place)
        yield run
    if twice:
        notes.append(f"Given twice, counted once: {twice[0]}{f' and {len(twice) - 1} more' if twice[1:] else ''}")


def _metric(folders: Sequence[RunFolder], configs: Sequence[RunConfig], asked: str | None) -> str:
    """ "<target>/<metric>" that all runs have; `asked`: "<metric>" of the first target, or both."""
    target, _, metric = (asked or "").rpartition("/")
    if not target:
        firsts = {config.task.targets[0] for config in configs}
        if len(firsts) > 1:
            raise UserError(
                f"The runs predict different targets ({', '.join(sorted(firsts))}). Compare those of one, or say "
                "which all of them have: metric=TARGET/NAME."
            )
        (target,) = firsts
    if asked is None:
        mains = sorted({folder.summary()["main"] for folder in folders})
        if len(mains) > 1:
            raise UserError(f"The runs have different main metrics ({', '.join(mains)}). Choose one that all have.")
        return str(mains[0])
    for folder in folders:
        known = sorted(folder.summary()["metrics"])
        if f"{target}/{metric}" not in known:
            of_target = [m.partition("/")[2] for m in known if m.startswith(f"{target}/")]
            has = f"It has {', '.join(of_target or known)}."
            raise UserError(
                f"metric={asked}: {folder.path} has no such metric.{did_you_mean(metric, of_target or known)} {has}"
            )
    return f"{target}/{metric}"


def _settings(folders: Sequence[RunFolder], configs: Sequence[RunConfig], name: str) -> tuple[list[Model], list[Model]]:
    """The fused models by setting, and the single modalities by theirs."""
    settings: dict[str, tuple[dict[str, Any], Model]] = {}
    singles: dict[str, Model] = {}
    for folder, config in zip(folders, configs, strict=True):
        summary = folder.summary()
        place, flat = _place(config)
        _, model = settings.setdefault(repr(sorted(flat.items())), (flat, Model("")))
        share = summary["samples"]["test"] / summary["samples"]["train"]
        if place in model.repeats:
            raise UserError(
                f"{folder.path} and {model.repeats[place].folder.path} are the same setting, seed and fold: two "
                "trainings of one model. Give one of them."
            )
        model.repeats[place] = Repeat(folder, summary["metrics"], summary.get("intervals") or {}, share)
        for single, alone in (summary.get("singles") or {}).items():
            key = repr(sorted(_place(single_config(config, single))[1].items()))
            inside = RunFolder(folder.path / alone["folder"])
            repeat = Repeat(inside, alone["metrics"], alone.get("intervals") or {}, share)
            singles.setdefault(key, Model(f"{single} alone", single=single)).repeats[place] = repeat
    return _labelled(list(settings.values())), list(singles.values())


def _place(config: RunConfig) -> tuple[Place, dict[str, Any]]:
    """Seed and fold of a run, and the rest of what its result depends on, by dotted keys."""
    flat = _flat(effective(config))
    place = (int(flat.pop("seed")), flat.pop("data.fold"))
    for key in ("folds", "singles", "patterns"):
        flat.pop(key, None)
    return place, flat


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
