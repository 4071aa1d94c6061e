"""A manifest's schema: a small YAML that says what the columns of a table are. Imports no torch.

id: patient
group: patient          # optional
split: split            # optional; or fold: fold
modalities: {scan: {kind: image, column: path, size: 64}, labs: {kind: table, column: [age, crp]}}
targets: {outcome: {kind: multiclass, column: outcome}}
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from crossfade.errors import UserError, did_you_mean
from crossfade.registry import groups, read_option
from crossfade.specs import ModalitySpec, Spec, TargetSpec

ROLES = ("id", "group", "split", "fold")
KEYS = (*ROLES, "modalities", "targets")


def load_schema(path: str | Path) -> dict[str, Any]:
    """The part of the config that a schema file fills in: task, modality, target and data.source.

    Raises UserError with all problems at once: unknown keys, missing parts, fields out of range.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"data.schema={path}: no such file. A manifest needs a small YAML beside it (my.csv → my.yaml), "
            "or data.schema=FILE, that says what its columns are; see docs/data.md."
        )
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(given, dict):
        raise UserError(f"{path}: expected a mapping with the keys {', '.join(KEYS)}.")
    problems = [f"{path}: {problem}" for problem in _problems(given)]
    if problems:
        raise UserError(*problems)
    return {
        "task": {"modalities": list(given["modalities"]), "targets": list(given["targets"])},
        "modality": {name: dict(fields) for name, fields in given["modalities"].items()},
        "target": {name: dict(fields) for name, fields in given["targets"].items()},
        "data": {"source": {role: given.get(role) for role in ROLES}},
    }


def _problems(given: dict[Any, Any]) -> Iterator[str]:
    for key in given:
        if key not in KEYS:
            yield f'unknown key "{key}".{did_you_mean(key, KEYS)} Allowed: {", ".join(KEYS)}.'
    if "id" not in given:
        yield "`id` is missing: name the column that tells samples apart."
    for role in ROLES:
        if role in given and not isinstance(given[role], str):
            yield f"{role}: {given[role]!r} is not the name of a column."
    parts: list[tuple[str, type[Spec], str]] = [
        ("modalities", ModalitySpec, "note: {kind: text, column: report}"),
        ("targets", TargetSpec, "outcome: {kind: multiclass, column: outcome}"),
    ]
    for part, spec, example in parts:
        named = given.get(part)
        if not isinstance(named, dict) or not named:
            yield f"`{part}` is missing or empty. Name at least one, e.g. {part}: {{{example}}}."
            continue
        for name, fields in named.items():
            yield from _fields(f"{part}.{name}", name, fields, spec)


def _fields(place: str, name: Any, fields: Any, spec: type[Spec]) -> Iterator[str]:
    if not isinstance(name, str) or not name.isidentifier():
        yield f"{place}: a name is a word of letters, digits and underscores; it becomes a key of the config."
        return
    if not isinstance(fields, dict):
        yield f"{place}: expected a mapping of fields, e.g. {{kind: …, column: …}}."
        return
    classes = fields.get("classes") or []
    if isinstance(classes, list) and any(not isinstance(label, str) for label in classes):
        yield f"{place}.classes: quote the labels, as YAML reads {classes} as something other than text."
        return
    if not fields.get("column"):
        yield f"{place}: `column` is missing: say which column it is read from."
    if spec is TargetSpec and fields.get("kind") in groups()["target"]:
        own = read_option("target", fields["kind"])
        allowed = sorted({*TargetSpec.model_fields, *own} - {"name", "target_", "_target_"})
        for key in fields:
            if key not in allowed:
                yield f'{place}: unknown field "{key}".{did_you_mean(key, allowed)} Allowed: {", ".join(allowed)}.'
    try:
        spec.model_validate(fields)
    except ValidationError as error:
        allowed = [field for field in spec.model_fields if field != "name"]
        for fault in error.errors():
            key = ".".join(map(str, fault["loc"]))
            if fault["type"] == "extra_forbidden":
                near = did_you_mean(key, allowed)
                yield f'{place}: unknown field "{key}".{near} Allowed: {", ".join(allowed)}.'
            else:
                yield f"{place}.{key}: {fault['msg']}" + (
                    "." if fault["type"] == "missing" else f" (given: {fault['input']!r})."
                )
