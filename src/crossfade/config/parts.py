"""Checks of the parts (encoders, fusion, core, targets, source, loggers) against the YAML that they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crossfade.config.explain import MISSING, shown, unknown_key
from crossfade.config.limits import limit_of
from crossfade.errors import did_you_mean
from crossfade.registry import find_part, find_source, groups, read_option
from crossfade.specs import TargetSpec

PER_MODALITY = ("source", "absence")  # groups whose numbers may be given as {modality: number}


def part_problems(raw: Mapping[str, Any]) -> dict[str, str]:
    """A message per key of a part that its YAML does not know or that its limits exclude."""
    problems: dict[str, str] = {}
    for path, group, part, fields in _parts(raw):
        problems.update(_problems_of_part(path, group, part, fields))
    return problems


def _parts(raw: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, dict[str, Any] | None]]:
    for group in ("imputation", "fusion", "core", "balance", "adversary", "absence", "search"):
        if group != "search" or raw.get(group):  # none of it is nothing
            yield group, group, raw.get(group), _fields(group, raw.get(group))
    encoders = raw.get("encoder")
    if isinstance(encoders, Mapping):
        for kind, part in encoders.items():
            group = f"encoder/{kind}"
            yield f"encoder.{kind}", group, part, _fields(group, part) if group in groups() else None
        modalities = raw.get("modality")
        for name, spec in modalities.items() if isinstance(modalities, Mapping) else ():
            own = spec.get("encoder") if isinstance(spec, Mapping) else None
            if isinstance(own, Mapping) and own:
                kind = spec.get("kind")
                part = {**(encoders.get(kind) or {}), **own}
                fields = _fields(f"encoder/{kind}", part)
                yield f"modality.{name}.encoder", f"encoder/{kind}", {**own, "_target_": part.get("_target_")}, fields
    targets = raw.get("target")
    for name, spec in targets.items() if isinstance(targets, Mapping) else ():
        if isinstance(spec, Mapping) and spec.get("kind") in groups()["target"]:  # else the schema complains
            own = read_option("target", spec["kind"])
            fields = {**dict.fromkeys(set(TargetSpec.model_fields) - {"target_"}), **own}
            yield f"target.{name}", "target", {**spec, "_target_": own["_target_"]}, fields
    data = raw.get("data")
    if isinstance(data, Mapping) and data.get("source") is not None:
        source = data["source"]
        yield "data.source", "source", source, find_source(str(_target(source)))
    loggers = raw.get("logger")
    for name, part in loggers.items() if isinstance(loggers, Mapping) else ():
        known = read_option("logger", name)[name] if name in groups()["logger"] else None
        yield f"logger.{name}", "logger", part, known


def _target(part: Any) -> Any:
    return part.get("_target_") if isinstance(part, Mapping) else None


def _fields(group: str, part: Any) -> dict[str, Any] | None:
    found = find_part(group, str(_target(part)))
    return found[1] if found else None


def _problems_of_part(path: str, group: str, part: Any, fields: dict[str, Any] | None) -> dict[str, str]:
    slashed = path.replace(".", "/")
    if not isinstance(part, Mapping):
        if slashed not in groups():
            return {path: f"{path}={shown(part)}: must be a mapping of fields with a _target_."}
        options = groups()[slashed]
        hint = did_you_mean(str(part), options) or f" Choose {slashed}={options[0]}."
        return {path: f"{path}={shown(part)}: must be one of {', '.join(options)}, written with =.{hint}"}
    if not isinstance(part.get("_target_"), str):
        known = groups().get(slashed) or groups().get(path.split(".")[0], [])
        hint = did_you_mean(path.rpartition(".")[2], known)
        return {
            path: f"{path}: nothing here says what to build, it has no _target_.{hint} There are {', '.join(known)}."
        }
    return _problems_of_fields(path, group, part, fields)


def _problems_of_fields(
    path: str, group: str, part: Mapping[str, Any], fields: Mapping[str, Any] | None
) -> dict[str, str]:
    problems = {}
    for field, value in part.items():
        key = f"{path}.{field}"
        if field == "_target_" or value == MISSING:
            continue
        usual = (fields or {}).get(field)
        if fields is not None and field not in fields:
            problems[key] = unknown_key(key, fields, everywhere=False)
        elif isinstance(usual, Mapping) and usual and isinstance(value, Mapping):
            problems.update(_problems_of_fields(key, group, value, usual))
        elif group in PER_MODALITY and isinstance(value, Mapping) and limit_of(group, field):
            faults = {f"{key}.{name}": (one, _out_of_limit(group, field, one)) for name, one in value.items()}
            problems.update({k: f"{k}={shown(one)}: {fault}" for k, (one, fault) in faults.items() if fault})
        elif field != "alpha" or group != "fusion":  # α has a check of its own
            fault = fault_of(group, key, value, fields)
            if fault:
                problems[key] = f"{key}={shown(value)}: {fault}"
    return problems


def fault_of(group: str, key: str, value: Any, fields: Mapping[str, Any] | None) -> str:
    """What is wrong with a part's field of this dotted key, "" for nothing; `fields` are its YAML's."""
    field = key.rpartition(".")[2]
    usual = (fields or {}).get(field)
    free = usual is None or (isinstance(usual, str) and (usual == MISSING or usual.startswith("${")))
    # a source's word may be a choice among the data's own values: several of them, or null for all
    several = group == "source" and isinstance(usual, str) and (value is None or isinstance(value, list))
    if not free and not several:
        words = _wrong_type(value, usual)
        if words:
            return f"must be {words}. The default is {key}={shown(usual)}."
    if free and value is None:
        return ""
    fault = _out_of_limit(group, field, value)
    return fault + (f" The default is {key}={shown(usual)}." if fault and not free else "")


def _out_of_limit(group: str, field: str, value: Any) -> str:
    limit = limit_of(group, field)
    if limit is None or limit.holds(value):
        return ""
    return f"must be {limit.text}.{did_you_mean(str(value), limit.choices)}"


def _wrong_type(value: Any, usual: Any) -> str:
    if isinstance(usual, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(usual, int):
        return "" if isinstance(value, int) and not isinstance(value, bool) else "a whole number"
    if isinstance(usual, float):
        return "" if isinstance(value, int | float) and not isinstance(value, bool) else "a number"
    if isinstance(usual, str):
        return "" if isinstance(value, str) else "a word"
    if isinstance(usual, list):
        return "" if isinstance(value, list) else "a list"
    return "" if isinstance(value, Mapping) else "a mapping"
