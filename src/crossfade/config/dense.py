"""How many tokens a run needs: one per modality, or a grid of them for targets that say something of every place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossfade.registry import groups, read_option


def grids_of(raw: Mapping[str, Any]) -> dict[str, int]:
    """The `grid` of each of the task's targets that has one, as given or as its kind's YAML has it."""
    task, declared = raw.get("task"), raw.get("target")
    names = task.get("targets") if isinstance(task, Mapping) else None
    found: dict[str, int] = {}
    if not isinstance(names, list) or not isinstance(declared, Mapping):
        return found  # the schema complains
    for name in names:
        spec = declared.get(name)
        if isinstance(spec, Mapping) and spec.get("kind") in groups()["target"]:
            grid = {**read_option("target", spec["kind"]), **spec}.get("grid")
            if isinstance(grid, int) and not isinstance(grid, bool) and grid > 0:
                found[str(name)] = grid
    return found


def tokens_of(raw: Mapping[str, Any]) -> Any:
    """`tokens` as given; null is g² where a target needs a grid of g × g cells, else 1."""
    if raw.get("tokens") is not None:
        return raw["tokens"]
    return max(grids_of(raw).values(), default=1) ** 2
