"""The page as HTML, of a run or of a sweep."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader

from crossfade.report.budget import LARGEST, Laid, fitted, laid, weight
from crossfade.report.vector import STYLES, hoisted


def page_of(contents: Mapping[str, Any]) -> str:
    """page.html filled with these contents, never above `LARGEST` bytes: see `budget` for what is left out then.

    `contents["sections"]` are its sections; `config`, where it is there, comes last.
    """
    template = Environment(loader=PackageLoader("crossfade.report", "."), autoescape=True).get_template("page.html")
    page = [laid(section) for section in contents["sections"]]

    def render(sections: Sequence[Laid], config: str) -> str:
        """The styles that the figures share stand once, in the page's head."""
        return hoisted(template.render({**contents, "config": config, "chapters": _chapters(sections)}))

    bare = render(fitted(page, 0), "")
    kept = fitted(page, LARGEST - weight(bare) - len(STYLES))
    text = render(kept, "")
    config = contents.get("config", "")
    whole = render(kept, config) if config else text
    return whole if weight(whole) <= LARGEST else text


def _chapters(sections: Sequence[Laid]) -> list[tuple[str, str, list[Laid]]]:
    """Anchor, title and sections of each heading."""
    found: list[tuple[str, str, list[Laid]]] = []
    for title, of in groupby(sections, key=lambda one: one.section.title):
        anchor = re.sub(r"\W+", "-", title.lower()).strip("-")
        found.append((f"at-{anchor}-{len(found)}", title, list(of)))  # no figure's id begins so
    return found
