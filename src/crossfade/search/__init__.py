"""What is searched in a sweep, and how: conf/search/*.yaml."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Override

from crossfade.allowed import find_class
from crossfade.config import RunConfig
from crossfade.config.parts import part_problems
from crossfade.errors import UserError
from crossfade.search.asked import Asked, Search
from crossfade.sweeps.course import Launcher
from crossfade.sweeps.multirun import faults_said
from crossfade.sweeps.planning import Compose


def search(
    overrides: Sequence[Override],
    part: Mapping[str, Any],
    folder: str | None,
    compose: Compose,
    launcher_for: Callable[[RunConfig], Launcher],
    command: Sequence[str],
) -> None:
    """Run the search of a command line, as `sweeps.multirun.sweep` runs a list of jobs, with the same exit codes.

    `part` is the search's part of the config, `overrides` are all settings but its own.
    """
    with faults_said():
        problems = [text for key, text in part_problems({"search": part}).items() if key.startswith("search")]
        if problems:
            raise UserError(*problems)
        fields = {key: value for key, value in part.items() if key != "_target_"}
        made: Search = find_class(str(part["_target_"]))(**fields)
        made(Asked(overrides, part, folder, compose, launcher_for, command))
