"""The registry: the config folder read as plain YAML, its groups, options and fields. Imports no Hydra."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

import crossfade

ROOT_CONFIG = "config"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where it was built


@cache
def conf_folder() -> Path:
    """The folder of the config groups: inside the package (installed from a wheel) or at the repository's root."""
    package = Path(crossfade.__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


@cache
def groups() -> dict[str, list[str]]:
    """Every config group with its options, for example {"fusion": ["attention", …], "encoder/image": ["timm"]}.

    A subfolder beside a file of its name holds further options, not a group: `task/medical/x.yaml` is the option
    `medical/x` of `task`. Corruptions are no part of a run's config: see `corruptions`.
    """
    root = conf_folder()
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*.yaml")):
        parts = path.relative_to(root).with_suffix("").parts
        if len(parts) == 1 or parts[0] in ("hydra", "corruption"):
            continue
        depth = 2 if parts[0] == "encoder" else 1
        found.setdefault("/".join(parts[:depth]), []).append("/".join(parts[depth:]))
    return {group: sorted(options) for group, options in sorted(found.items())}


@cache
def corruptions() -> dict[str, list[str]]:
    """The corruptions of each kind of modality: {"image": ["blur", …], …}, from conf/corruption/<kind>/<name>.yaml."""
    found: dict[str, list[str]] = {}
    for path in sorted((conf_folder() / "corruption").glob("*/*.yaml")):
        found.setdefault(path.parent.name, []).append(path.stem)
    return found


@cache
def _read(path: Path) -> dict[str, Any]:
    node = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) or {}
    parents = node.pop("defaults", [])
    below: dict[str, Any] = {}
    for parent in parents if path.parent != conf_folder() else []:
        if isinstance(parent, str) and parent != "_self_":
            start = conf_folder() if parent.startswith("/") else path.parent
            below = merged(below, _read(start / f"{parent.strip('/')}.yaml"))
    return merged(below, node)


def read_option(group: str, option: str) -> dict[str, Any]:
    """The fields of one option as its YAML gives them, with those that it takes over from its neighbours."""
    return merged({}, _read(conf_folder() / group / f"{option}.yaml"))


def read_root() -> dict[str, Any]:
    """The keys of config.yaml itself."""
    return merged({}, _read(conf_folder() / f"{ROOT_CONFIG}.yaml"))


def find_part(group: str, target: str) -> tuple[str, dict[str, Any]] | None:
    """The option of a group, and its fields, whose `_target_` is `target`; None where no YAML has it."""
    for option in groups().get(group, []):
        fields = read_option(group, option)
        if fields.get("_target_") == target:
            return option, fields
    return None


def find_source(target: str) -> dict[str, Any] | None:
    """The fields of a data source: those in the task's YAML whose `data.source` has this `_target_`."""
    for option in groups().get("task", []):
        source = (read_option("task", option).get("data") or {}).get("source")
        if isinstance(source, dict) and source.get("_target_") == target:
            return source
    return None


@cache
def part_name(group: str, target: str) -> str:
    """What a part is called: its option's name; a class of the user's own, its name in lower case."""
    found = find_part(group, target)
    return found[0] if found else target.rpartition(".")[2].lower()


def merged(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    """Two nested mappings as one; where both have a value, `high` wins."""
    out = dict(low)
    for key, value in high.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if both else (merged({}, value) if isinstance(value, dict) else value)
    return out


@cache
def default_choices() -> dict[str, Any]:
    """The option of each group that config.yaml chooses; None for a group that is off."""
    text = yaml.load((conf_folder() / f"{ROOT_CONFIG}.yaml").read_text(encoding="utf-8"), Loader=_LOADER)
    chosen = {}
    for entry in text["defaults"]:
        if isinstance(entry, dict):
            ((group, option),) = entry.items()
            chosen[group.split()[-1]] = option
    return chosen
