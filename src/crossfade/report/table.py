"""Tables and folds in the page's style."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from markupsafe import Markup


def html(headings: Sequence[str], rows: Sequence[Sequence[Any]], roles: Sequence[str] = ()) -> Markup:
    """A table; `roles` are classes of the rows. What is no Markup is escaped."""
    head = Markup("").join(Markup("<th>{}</th>").format(heading) for heading in headings)
    body = Markup("\n").join(
        Markup('<tr class="{}">{}</tr>' if role else "<tr>{1}</tr>").format(role, _cells(row))
        for row, role in zip_longest(rows, roles[: len(rows)])
    )
    return Markup('<div class="scroll"><table><tr>{}</tr>\n{}</table></div>').format(head, body)


def folded(summary: str, inside: Markup) -> Markup:
    """What is seen once its summary is clicked."""
    return Markup("<details><summary>{}</summary>{}</details>").format(summary, inside)


def _cells(row: Sequence[Any]) -> Markup:
    return Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row)


def pre(text: str) -> Markup:
    """Text as it is."""
    return Markup("<pre>{}</pre>").format(text)
