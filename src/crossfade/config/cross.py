"""Checks that need several keys at once. Each names the keys it reads, and is skipped where one of them has a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from crossfade.config.alpha import simplex_point, strategies_with_alpha
from crossfade.config.dense import grids_of
from crossfade.config.explain import MISSING
from crossfade.config.frozen import augmented
from crossfade.errors import UserError, did_you_mean
from crossfade.fusion.budget import outer_product_problem
from crossfade.registry import default_choices, find_part, read_option

Raw = Mapping[str, Any]
Problems = dict[str, str]


def cross_problems(raw: Raw, faulty: Iterable[str]) -> Problems:
    """A message per key that does not go with another; `faulty` are the dotted keys already complained of."""
    known = list(faulty)
    problems: Problems = {}
    for needs, find in CHECKS:
        if not any(_overlap(need, key) for need in needs for key in known):
            problems.update(find(raw))
    return problems


def _overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _picked(raw: Raw) -> Problems:
    problems = {}
    for group, word in (("modality", "modalities"), ("target", "targets")):
        names, declared = raw["task"][word], list(raw[group])
        for name in names:
            if name not in declared:
                problems[f"task.{word}.{name}"] = (
                    f"task.{word}: {name} is not declared under {group}.{did_you_mean(name, declared)} "
                    f"Declared: {', '.join(declared) or 'none'}. Declare it with {group}.{name}.kind=…"
                )
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            problems[f"task.{word}"] = f"task.{word}={names}: {', '.join(twice)} stands twice. Name each once."
    return problems


def _kinds(raw: Raw) -> Problems:
    problems = {}
    for name in raw["task"]["modalities"]:
        kind = raw["modality"].get(name, {}).get("kind")
        if kind is not None and kind not in raw["encoder"]:
            problems[f"modality.{name}.kind"] = (
                f"modality.{name}.kind={kind}: no encoder of this kind is chosen, only of {', '.join(raw['encoder'])}. "
                f"Choose one with encoder/{kind}=… or leave {name} out of task.modalities."
            )
    return problems


def _alpha(raw: Raw) -> Problems:
    fusion, modalities = raw["fusion"], raw["task"]["modalities"]
    if "alpha" in fusion:
        key = "alpha" if fusion["alpha"] == raw.get("alpha") else "fusion.alpha"
        try:
            simplex_point(fusion["alpha"], modalities, key)
        except UserError as error:
            return {f"{key} {i}": text for i, text in enumerate(error.problems)}
        return {}
    if raw.get("alpha") is None:
        return {}
    found = find_part("fusion", fusion["_target_"])
    strategy = found[0] if found else fusion["_target_"]
    users = strategies_with_alpha()
    usual = default_choices()["fusion"]
    first = usual if usual in users else users[0]
    return {
        "alpha": f"alpha={raw['alpha']}: fusion={strategy} has no α. These strategies use it: {', '.join(users)}. "
        f"Choose fusion={first} or leave alpha out."
    }


def _heads(raw: Raw) -> Problems:
    problems = {}
    width = raw["width"]
    for group in ("core", "fusion"):
        heads = raw[group].get("heads")
        if heads is None:
            continue
        if width % heads:
            problems[f"{group}.heads"] = (
                f"{group}.heads={heads}: must divide width={width}. Try {group}.heads={_near(width, heads)} "
                f"or width={-(-width // heads) * heads}."
            )
        elif raw[group].get("position") == "rotary" and (width // heads) % 2:
            problems[f"{group}.position"] = (
                f"{group}.position=rotary: needs an even width per head, not {width}/{heads} = {width // heads}. "
                f"Change width or {group}.heads, or use {group}.position=learned."
            )
    return problems


def _prototypes(raw: Raw) -> Problems:
    balance = raw.get("balance")
    found = find_part("balance", balance["_target_"]) if balance else None
    kinds = {name: raw["target"][name].get("kind") for name in raw["task"]["targets"] if name in raw["target"]}
    if found is None or found[0] != "pmr" or "multiclass" in kinds.values():
        return {}
    given = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
    return {
        "balance": f"balance=pmr: its prototypes are those of classes, so a target must be multiclass; the run has "
        f"{given}. Choose another, for example balance=ogm_ge."
    }


def _attackable(raw: Raw) -> Problems:
    adversary = raw.get("adversary") or {}
    kinds = {name: raw["modality"].get(name, {}).get("kind") for name in raw["task"]["modalities"]}
    if "epsilon" not in adversary or set(kinds.values()) != {"text"}:
        return {}
    found = find_part("adversary", adversary["_target_"])
    return {
        "adversary": f"adversary={found[0] if found else adversary['_target_']}: perturbs values that are numbers, and "
        f"the run has only text ({', '.join(kinds)}). Add another modality, or use adversary=none."
    }


def _hidden(raw: Raw) -> Problems:
    """What `absence` names must be modalities of the run, and splits."""
    absence, modalities = raw.get("absence") or {}, raw["task"]["modalities"]
    problems = {}
    splits = absence.get("splits")
    if isinstance(splits, list) and (wrong := [s for s in splits if s not in ("train", "val", "test")]):
        problems["absence.splits"] = f"absence.splits={splits}: {wrong[0]} is none; allowed are train, val and test."
    rate, patterns = absence.get("rate"), absence.get("patterns")
    lists = isinstance(patterns, list) and bool(patterns) and all(isinstance(p, list) and p for p in patterns)
    if patterns is not None and not lists:
        return problems | {
            "absence.patterns": f"absence.patterns={patterns}: must be a list of lists of modalities, such as "
            f"[[{modalities[0]}],[{','.join(modalities)}]]."
        }
    named = list(rate) if isinstance(rate, Mapping) else [name for pattern in patterns or [] for name in pattern]
    key = "absence.rate" if isinstance(rate, Mapping) else "absence.patterns"
    for name in dict.fromkeys(named):
        if name not in modalities:
            hint = did_you_mean(str(name), modalities)
            problems[key] = f"{key}: {name} is no modality of the run.{hint} There are {', '.join(modalities)}."
    return problems


def _experts(raw: Raw) -> Problems:
    fusion = raw["fusion"]
    top, experts = fusion.get("top"), fusion.get("experts")
    if top is None or experts is None or top <= experts:
        return {}
    return {"fusion.top": f"fusion.top={top}: more than fusion.experts={experts}. Give at most {experts}."}


def _outer_product(raw: Raw) -> Problems:
    fusion = raw["fusion"]
    if not {"hidden", "memory_gb"} <= fusion.keys():
        return {}
    modalities = len(raw["task"]["modalities"])
    problem = outer_product_problem(modalities, raw["width"], fusion["hidden"], fusion["memory_gb"])
    return {"fusion.hidden": problem} if problem else {}


def _encoder_heads(raw: Raw) -> Problems:
    problems = {}
    for kind, part in raw["encoder"].items():
        hidden, heads = part.get("hidden"), part.get("heads")
        if hidden is not None and heads is not None and hidden % heads:
            problems[f"encoder.{kind}.heads"] = (
                f"encoder.{kind}.heads={heads}: must divide encoder.{kind}.hidden={hidden}. "
                f"Try encoder.{kind}.heads={_near(hidden, heads)}."
            )
    return problems


def _grid(raw: Raw) -> Problems:
    grids = grids_of(raw)
    if not grids:
        return {}
    if len(set(grids.values())) > 1:
        wanted = ", ".join(f"target.{name}.grid={grid}" for name, grid in grids.items())
        return {"task.targets": f"task.targets: {wanted}, but a run has one grid. Give them one, or train them apart."}
    (name, grid), *_ = grids.items()
    if raw.get("tokens") not in (None, grid**2):
        return {
            "tokens": f"tokens={raw['tokens']}: target.{name}.grid={grid} needs {grid} × {grid} = {grid**2} tokens. "
            f"Leave tokens out, or change target.{name}.grid."
        }
    return {}


def _cells(raw: Raw) -> Problems:
    problems = {}
    for name, grid in grids_of(raw).items():
        spec = raw["target"][name]
        size = {**read_option("target", spec["kind"]), **spec}.get("size")
        if isinstance(size, int) and size % grid:
            problems[f"target.{name}.size"] = (
                f"target.{name}.size={size}: must be a multiple of target.{name}.grid={grid}, such as "
                f"{max(1, round(size / grid)) * grid}."
            )
    return problems


def _aligned(raw: Raw) -> Problems:
    return {
        f"modality.{name}.aligned": f"modality.{name}.aligned=true: only kinds image and points lie in a plane, "
        f"{name} is of kind {spec['kind']}. Leave it out."
        for name, spec in raw["modality"].items()
        if spec.get("aligned") and spec.get("kind") not in ("image", "points")
    }


def _extent(raw: Raw) -> Problems:
    """What an aligned modality covers is what the dense target covers; points need it to have a place at all."""
    problems: Problems = {}
    for target in grids_of(raw):
        spec = raw["target"][target]
        wanted = spec.get("extent", read_option("target", spec["kind"]).get("extent"))
        for name in raw["task"]["modalities"]:
            modality = raw["modality"].get(name, {})
            given = modality.get("extent")
            if wanted is None or not modality.get("aligned"):
                continue
            if given is None and modality["kind"] == "points":
                said = f"modality.{name}.extent: points need it to be placed on the grid of target.{target}."
            elif given is not None and list(given) != list(wanted):
                said = f"modality.{name}.extent={list(given)}: must be what target.{target} covers."
            else:
                continue
            problems[f"modality.{name}.extent"] = f"{said} Set modality.{name}.extent={list(wanted)} (m)."
    return problems


def _near(width: int, heads: int) -> int:
    return max(h for h in range(1, heads + 1) if width % h == 0)


def _split(raw: Raw) -> Problems:
    split = raw["data"]["split"]
    if abs(sum(split) - 1) > 1e-6:
        return {
            "data.split": f"data.split={list(split)}: the shares of train, val and test must sum to 1, "
            f"not {sum(split):g}. The default is data.split=[0.7,0.15,0.15]."
        }
    return {}


def _folds(raw: Raw) -> Problems:
    folds, fold = raw.get("folds"), raw["data"].get("fold")
    if folds is not None and fold is not None and fold >= folds:
        return {
            "data.fold": f"data.fold={fold}: with folds={folds} the folds are 0 to {folds - 1}. Give one of them, or "
            "leave data.fold out to run all."
        }
    return {}


def _inner(raw: Raw) -> Problems:
    fold, folds = raw["data"].get("inner_fold"), raw["data"].get("inner_folds")
    if (fold is None) != (folds is None):
        lacking = "data.inner_fold" if fold is None else "data.inner_folds"
        return {lacking: f"{lacking}: data.inner_fold and data.inner_folds belong together. Give both, or neither."}
    if fold is not None and folds is not None and fold >= folds:
        return {
            "data.inner_fold": f"data.inner_fold={fold}: with data.inner_folds={folds} the inner folds are 0 to "
            f"{folds - 1}."
        }
    return {}


def _paths(raw: Raw) -> Problems:
    problems = {}
    data = raw["data"] if isinstance(raw.get("data"), Mapping) else {}
    given = {key: data.get(key) for key in ("root", "manifest", "schema")}
    root, manifest, schema = (path if isinstance(path, str) and path != MISSING else None for path in given.values())
    if root is not None and not Path(root).expanduser().is_dir():
        problems["data.root"] = (
            f"data.root={root}: there is no such folder{_seen_from(root)}. Give the data set's folder."
        )
    for key, path in (("data.manifest", manifest), ("data.schema", schema)):
        if path is not None and not Path(path).expanduser().is_file():
            problems[key] = f"{key}={path}: there is no such file{_seen_from(path)}. Give the file's path."
    return problems


def _resume(raw: Raw) -> Problems:
    folder = raw.get("resume")
    if folder is None or (Path(folder) / "config.yaml").is_file():
        return {}
    what = "this folder has no config.yaml" if Path(folder).is_dir() else f"there is no such folder{_seen_from(folder)}"
    return {"resume": f"resume={folder}: {what}. Give the folder of a run, such as logs/runs/…"}


def _seen_from(path: str) -> str:
    return "" if Path(path).is_absolute() else f" under {Path.cwd()}"


CHECKS: list[tuple[tuple[str, ...], Callable[[Raw], Problems]]] = [
    (("task", "modality", "target"), _picked),
    (("task", "modality", "encoder"), _kinds),
    (("task.modalities", "fusion._target_"), _alpha),
    (("width", "core.heads", "core.position", "fusion.heads"), _heads),
    (("task.targets", "target", "balance"), _prototypes),
    (("task", "modality", "adversary"), _attackable),
    (("task.modalities", "absence"), _hidden),
    (("fusion.top", "fusion.experts"), _experts),
    (("task.modalities", "width", "fusion.hidden", "fusion.memory_gb"), _outer_product),
    (("encoder",), _encoder_heads),
    (("task.modalities", "modality", "encoder"), augmented),
    (("task.targets", "target", "tokens"), _grid),
    (("task.targets", "target"), _cells),
    (("modality",), _aligned),
    (("task", "target", "modality"), _extent),
    (("data.split",), _split),
    (("data.fold", "folds"), _folds),
    (("data.inner_fold", "data.inner_folds"), _inner),
    ((), _paths),
    (("resume",), _resume),
]
