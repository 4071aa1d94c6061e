"""The schema's complaints in the user's words: key, value, what is allowed, the fix."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from crossfade.config.dense import tokens_of
from crossfade.config.schema import RunConfig
from crossfade.errors import UserError, did_you_mean
from crossfade.registry import groups, read_option, read_root

MISSING = "???"
UNSET = object()


def load(plain: Mapping[str, Any]) -> RunConfig:
    """The config that `RunConfig.dump` gave; raises UserError naming every key that does not fit."""
    config, problems = problems_of(plain)
    if config is None:
        raise UserError(*problems.values())
    return config


def problems_of(raw: Mapping[str, Any]) -> tuple[RunConfig | None, dict[str, str]]:
    """The config, or None and a message per key that does not fit the schema."""
    plain = _named(raw)
    problems = {key: needs_value(key) for key in missing_values(plain)}
    config = None
    try:
        config = RunConfig.model_validate(plain)
    except ValidationError as error:
        for key, faults in _by_key(error, plain).items():
            if not any(key == known or known.startswith(f"{key}.") for known in problems):
                problems[key] = _message(key, faults, plain)
    return (None if problems else config), problems


def missing_values(node: Any, path: str = "") -> Iterator[str]:
    """The dotted keys whose value is still `???`."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from missing_values(value, f"{path}.{key}" if path else str(key))
    elif node == MISSING:
        yield path


def needs_value(key: str) -> str:
    """What to say of a mandatory key that nobody has set."""
    examples = {
        "data.root": "the folder that holds the data set: data.root=PATH",
        "data.manifest": "the table of your samples: data.manifest=my.csv (or .parquet)",
        "task.modalities": "the modalities to use: task.modalities=[image,note]",
        "task.targets": "the targets to predict: task.targets=[diagnosis]",
    }
    options = groups().get(key.replace(".", "/"))
    if options:
        return f"{key}: nothing is chosen. Choose {key}={options[0]}; there are {', '.join(options)}."
    return f"{key}: needs a value, {examples.get(key, f'{key}=…')}."


def at(node: Any, key: str) -> Any:
    """The value at a dotted key; UNSET where there is none."""
    for part in key.split("."):
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            return UNSET
    return node


def defaults() -> dict[str, Any]:
    """The values that a run has when nothing is overridden, with every option's own fields where groups have one."""
    root = read_root()
    chosen = {"optim": "adamw", "trainer": "cpu", "callbacks": "default", "task": "medical"}
    for group, option in chosen.items():
        node = read_option(group, option)
        root.update(node if group == "task" else {group: node})
    return root


def unknown_key(key: str, known: Mapping[str, Any] | list[str], everywhere: bool = True) -> str:
    """What to say of a key that nothing reads; `known` are the keys beside it."""
    parent, _, leaf = key.rpartition(".")
    siblings = [str(k) for k in known if not str(k).startswith("_")]
    hint = did_you_mean(leaf, siblings)
    if not hint and everywhere:
        same = [path for path in _leaves(defaults()) if path.rpartition(".")[2] == leaf]
        if same:
            return f'{key}: unknown key. Did you mean "{same[0]}"?'
        hint = did_you_mean(leaf, groups())
    if not hint:
        hint = f" {parent or 'The config'} has {', '.join(siblings) or 'no fields'}."
    return f"{key}: unknown key.{hint}"


def _leaves(node: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in node.items():
        here = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from _leaves(value, here)
        else:
            yield here


def _named(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Modalities and targets get the name that they are declared under, `tokens` the number that they need."""
    plain = {**raw, "tokens": tokens_of(raw)}
    for group in ("modality", "target"):
        node = plain.get(group)
        if isinstance(node, Mapping):
            plain[group] = {n: {**s, "name": n} if isinstance(s, Mapping) else s for n, s in node.items()}
    return plain


def _by_key(error: ValidationError, plain: Mapping[str, Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for fault in error.errors():
        key = ""
        for part in fault["loc"]:
            longer = f"{key}.{part}" if key else str(part)
            # a union puts the names of its members into the place; they are no keys
            if at(plain, longer) is UNSET and not (fault["type"] == "missing" and part == fault["loc"][-1]):
                break
            key = longer
        found.setdefault(key, []).append(fault)
    return found


def _message(key: str, faults: list[Any], plain: Mapping[str, Any]) -> str:
    kind = faults[0]["type"]
    if kind == "extra_forbidden":
        return unknown_key(key, _fields_at(key.rpartition(".")[0]))
    if kind == "missing":
        return needs_value(key)
    value = at(plain, key)
    words: list[str] = []
    for fault in faults:
        text = (
            re.sub(r"List should have (.*) items? after.*", r"a list of \1", fault["msg"])
            .replace("Input should be ", "")
            .replace("a valid ", "a ")
            .replace("a integer", "a whole number")
            .replace("a boolean", "true or false")
        )
        text = text.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
        text = text.replace("greater than", "above").replace("less than", "below").replace("'", "")
        if text not in words:
            words.append(text)
    allowed = " or ".join(words)
    hint = did_you_mean(str(value), allowed.replace(",", " ").split()) if "expected" in faults[0].get("ctx", {}) else ""
    usual = at(defaults(), key)
    fix = f" The default is {key}={shown(usual)}." if usual is not UNSET and usual not in (MISSING, {}) else ""
    return f"{key}={shown(value)}: must be {allowed}.{hint}{fix}"


def shown(value: Any) -> str:
    """A value as one would type it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _fields_at(path: str) -> list[str]:
    model: type[BaseModel] = RunConfig
    for part in path.split(".") if path else []:
        field = model.model_fields.get(part)
        if field is None:
            break
        inner = [a for a in (field.annotation, *getattr(field.annotation, "__args__", ())) if _is_model(a)]
        if inner:
            model = inner[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
