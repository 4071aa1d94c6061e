"""What a page may weigh, and what it leaves out to stay below that.

A page keeps, as long as they fit: all tables, then the figures, then examples; of each sort the first of every section
before the second of any, so that no target's figures crowd out another's. The run's config comes last. Each section
says what it left out, and where in the run's folder that stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from crossfade.report.section import Section
from crossfade.report.table import folded, html

LARGEST = 1_000_000  # bytes of a page
FIGURE = 48_000  # bytes of a figure as SVG from which it becomes a picture, where that is smaller
PICTURE = 1_400  # pixels of a picture's longer side
ROWS = 100  # of a table; what is beyond stands in its file
ELEMENT = 120  # bytes of the elements around a block


@dataclass(frozen=True)
class Block:
    """What is left out as a whole: a table, a figure or a piece, as it stands on the page."""

    sort: str
    html: Markup


SORTS = ("table", "figure", "piece")  # what is kept first


@dataclass(frozen=True)
class Laid:
    """A section as the page has it: its blocks, and the sentence about those that it left out."""

    section: Section
    blocks: Sequence[Block]
    left: str = ""

    @property
    def cards(self) -> bool:
        """Are its pieces samples, that stand beside each other?"""
        return any('class="example"' in piece for piece in self.of_sort("piece"))

    def of_sort(self, sort: str) -> list[Markup]:
        """Its tables, figures or pieces."""
        return [block.html for block in self.blocks if block.sort == sort]


def laid(section: Section) -> Laid:
    """The section with all that it has; of a longer table its first rows."""
    blocks = []
    left = ""
    if section.rows:
        table = html(section.headings, section.rows[:ROWS], section.roles)
        if section.fold:
            table = folded("The numbers", table)
        blocks.append(Block("table", table))
        if len(section.rows) > ROWS:
            left = f"The first {ROWS} of {len(section.rows)} rows{_place(section)}."
    blocks += [
        Block("figure", Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(drawn, caption))
        for caption, drawn in section.figures
    ]
    blocks += [Block("piece", piece) for piece in section.pieces]
    return Laid(section, blocks, left)


def fitted(page: Sequence[Laid], room: int) -> list[Laid]:
    """The sections with those of their blocks that fit into so many bytes, by the order above."""
    order = []
    for place, one in enumerate(page):
        seen = dict.fromkeys(SORTS, 0)
        for i, block in enumerate(one.blocks):
            order.append((SORTS.index(block.sort), seen[block.sort], place, i, weight(block.html) + ELEMENT))
            seen[block.sort] += 1
    kept = set()
    for _, _, place, i, bytes_ in sorted(order):
        if bytes_ <= room:
            room -= bytes_
            kept.add((place, i))
    return [_with(one, [i for i in range(len(one.blocks)) if (place, i) in kept]) for place, one in enumerate(page)]


def weight(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text.encode())


def _with(one: Laid, kept: Sequence[int]) -> Laid:
    if len(kept) == len(one.blocks):
        return one
    lost = [block.sort for i, block in enumerate(one.blocks) if i not in kept]
    words = {"table": "table", "figure": "figure", "piece": one.section.piece}
    counts = [f"{n} {words[sort]}{'s' * (n > 1)}" for sort in SORTS if (n := lost.count(sort))]
    left = f"Left out, to keep this page below {LARGEST / 1e6:g} MB: {', '.join(counts)}{_place(one.section)}."
    return replace(one, blocks=[one.blocks[i] for i in kept], left=" ".join(filter(None, (one.left, left))))


def _place(section: Section) -> str:
    return f"; all of it: {section.where}" if section.where else ""
