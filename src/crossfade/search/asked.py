"""What a command line asks of a search, before any job of it is listed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override

from crossfade.config import RunConfig
from crossfade.config.check import LABELS
from crossfade.config.overrides import plain
from crossfade.search.validation import Judge
from crossfade.sweeps.course import Launcher
from crossfade.sweeps.opened import Opened, opened
from crossfade.sweeps.planning import Bases, Compose, Planned, Settings, planned

if TYPE_CHECKING:
    from crossfade.sweeps.report.subject import Contents, Subject

NO_MATTER = {*LABELS, "hydra"} - {"alpha"}  # settings that make no other search


@dataclass(frozen=True)
class Asked:
    """The settings of a sweep but for the search's own, and how its jobs are composed and run.

    `part` is the search's part of the config, `command` the settings by which the sweep can be resumed, `folder` where
    the user wants it.
    """

    overrides: Sequence[Override]
    part: Mapping[str, Any]
    folder: str | None
    compose: Compose
    launcher_for: Callable[[RunConfig], Launcher]
    command: Sequence[str] = field(default_factory=list)

    def given(self, key: str) -> Override | None:
        """The last setting of this key."""
        return next((o for o in reversed(self.overrides) if o.key_or_group == key), None)

    def combinations(self) -> list[list[str]]:
        """The settings of each combination of the values."""
        (jobs,) = BasicSweeper.split_arguments(list(self.overrides), None)
        return [list(job) for job in jobs]

    def planned(
        self, jobs: Sequence[Settings], named: Sequence[str] | None = None, bases: Bases | None = None
    ) -> Planned:
        """The checked jobs, their folders named by the keys `named`: see `planning.planned`."""
        return planned(jobs, self.compose, named, bases)

    @contextmanager
    def opened(
        self, first: RunConfig, name: str, varying: Sequence[str], *without: str, judge: Judge | None = None
    ) -> Iterator[Opened]:
        """The sweep's folder: that of an unfinished search for the same, or a new one.

        The same is: all settings, and the search's fields `without` those that may change on the way. The folder keeps
        what is needed to look at it as it stands: the search's part, what varies, and the judge of its trials.
        """
        part = {key: value for key, value in self.part.items() if key not in without}
        texts = sorted(text for text in map(plain, self.command) if re.split(r"[.=/]", text)[0] not in NO_MATTER)
        mark = hashlib.sha256(json.dumps([part, texts], sort_keys=True).encode()).hexdigest()[:16]
        about = {
            "fingerprint": mark,
            "command": list(self.command),
            "varying": list(varying),
            "search": dict(self.part),
            "judge": None if judge is None else [judge.monitor, judge.direction],
        }
        with opened(first, self.folder, f"{first.task.name}_{name}", about, self.launcher_for) as sweep:
            yield sweep


class Search(Protocol):
    """An option of conf/search: made of its fields, called once."""

    def __call__(self, asked: Asked) -> None: ...

    @staticmethod
    def page(subject: Subject, part: Mapping[str, Any]) -> Contents:
        """What stands on the page of its folder, finished or not; `part` is the search's part of the config."""
        ...


def with_settings(settings: Settings, **values: Any) -> list[str]:
    """These settings with others in their place; `__` in a name is a dot."""
    new = {name.replace("__", "."): value for name, value in values.items()}
    kept = [text for text in settings if text.partition("=")[0].lstrip("+") not in new]
    return [*kept, *(f"++{key}={value}" for key, value in new.items())]
