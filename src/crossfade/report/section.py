"""A part of the page that stands for itself: what one analysis has to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup


@dataclass(frozen=True)
class Section:
    """A heading, figures with their captions, a table, pieces of HTML and a note, each where there is one."""

    title: str
    note: str = ""
    figures: Sequence[tuple[str, Markup]] = ()
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default_factory=list)
    pieces: Sequence[Markup] = ()
