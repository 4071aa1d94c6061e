"""A part of the page that stands for itself: what one analysis has to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup


@dataclass(frozen=True)
class Section:
    """A heading, how to read it, a table, figures with their captions, pieces of HTML, a note; each where there is one.

    Sections of one title stand under one heading, each then under what it is `of` (a target); `read` is said once.
    `where`: the files of the run's folder that hold the same, for what the page leaves out.
    """

    title: str
    note: str = ""
    figures: Sequence[tuple[str, Markup]] = ()
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = field(default_factory=list)
    pieces: Sequence[Markup] = ()
    piece: str = "sample"  # what one of them is
    of: str = ""
    read: str = ""
    where: str = ""
    roles: Sequence[str] = ()  # a class for each row of the table
    fold: bool = False  # the table stands folded under the figures, which show the same


def of_several(name: str, names: Sequence[str]) -> str:
    """The target's name as a heading, where there are others to tell it from."""
    return name if len(names) > 1 else ""
