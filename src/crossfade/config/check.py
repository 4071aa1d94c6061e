"""The check of a composed config: everything that is wrong with it, said at once, before torch is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossfade.config.alpha import simplex_point
from crossfade.config.cross import cross_problems
from crossfade.config.explain import load, problems_of
from crossfade.config.parts import part_problems
from crossfade.config.schema import RunConfig
from crossfade.errors import UserError
from crossfade.registry import read_option

# keys that a run's result does not depend on; α counts where it is used: in the fusion
LABELS = (
    *("name", "group", "tags", "alpha", "singles_cache", "resume", "logger", "features", "figures"),
    *("fail_fast", "retry", "search"),
)


def find_problems(raw: Mapping[str, Any]) -> dict[str, str]:
    """A message per faulty key, in the order: keys and values, parts, what does not go together."""
    _, problems = problems_of(raw)
    for key, message in part_problems(raw).items():
        problems.setdefault(key, message)
    for key, message in cross_problems(raw, problems).items():
        problems.setdefault(key, message)
    return _without_consequences(raw, problems)


def _without_consequences(raw: Mapping[str, Any], problems: dict[str, str]) -> dict[str, str]:
    """Of a task of one's own, the schema file fills in the columns: without it they are not many problems, but one."""
    data = raw.get("data")
    gaps = [k for k, text in problems.items() if k.startswith(("task.", "data.source.")) and "needs a value" in text]
    if not isinstance(data, Mapping) or not gaps or not {"manifest", "schema"} <= data.keys():
        return problems
    left = {key: text for key, text in problems.items() if key not in gaps}
    if "data.manifest" not in left and "data.schema" not in left and data["manifest"] is not None:
        beside = Path(str(data["manifest"])).with_suffix(".yaml").name
        left["data.schema"] = (
            f"data.schema: nothing says what the columns of {data['manifest']} are; missing: {', '.join(gaps)}. Write "
            f"them into {beside} beside the manifest (id, modalities, targets), or give data.schema=FILE, or settings."
        )
    return left


def check(raw: Mapping[str, Any]) -> RunConfig:
    """The run's config, with α as a point on the simplex over the modalities that the run uses.

    Raises UserError with all problems at once, each naming the key, the value, what is allowed and the fix.
    """
    problems = find_problems(raw)
    if problems:
        raise UserError(*problems.values())
    plain = dict(raw)
    if "alpha" in plain["fusion"]:
        point = simplex_point(plain["fusion"]["alpha"], plain["task"]["modalities"])
        plain["fusion"] = {**plain["fusion"], "alpha": point}
    plain["data"] = _absolute(plain["data"])
    return load(plain)


def _absolute(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data's paths from the root of the file system: a run is reopened from any working directory."""
    plain = dict(data)
    for key in ("root", "manifest", "schema"):
        if isinstance(plain.get(key), str):
            plain[key] = os.path.abspath(os.path.expanduser(plain[key]))
    if isinstance(plain.get("source"), Mapping):
        plain["source"] = _absolute(plain["source"])
    return plain


def effective(config: RunConfig) -> dict[str, Any]:
    """What a run's result depends on: the config without labels, and without what the run does not use.

    Two jobs of a sweep with equal effective configs are the same job.
    """
    plain = config.dump()
    for label in LABELS:
        del plain[label]
    del plain["trainer"]["progress"]  # what is shown
    for group, picked in (("modality", config.task.modalities), ("target", config.task.targets)):
        plain[group] = {name: spec for name, spec in plain[group].items() if name in picked}
    masked = len(config.task.modalities) == 1 or plain["imputation"] == read_option("imputation", "none")
    plain["imputation"] = None if masked else plain["imputation"]  # as in runs of before there was a choice
    kinds = {spec["kind"] for spec in plain["modality"].values()}
    plain["encoder"] = {kind: part for kind, part in plain["encoder"].items() if kind in kinds}
    return plain
