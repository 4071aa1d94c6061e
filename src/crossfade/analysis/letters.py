"""Letters for groups that cannot be told apart: two models that share a letter are not distinguishable."""

from __future__ import annotations

from collections.abc import Collection


def group_letters(count: int, different: Collection[tuple[int, int]]) -> list[list[str]]:
    """The letters of models 0 … count − 1, "a" where the first stands; `different` are the pairs that differ.

    Two models share a letter exactly where they do not differ: insert and absorb (Piepho 2004,
    doi:10.1198/1061860043515). Not transitive: with 0 ~ 1, 1 ~ 2 and 0 ≠ 2 the letters are a, ab, b.
    """
    groups = [frozenset(range(count))]
    for one, other in sorted(tuple(sorted(pair)) for pair in different):
        split: list[frozenset[int]] = []
        for group in groups:
            split += [group - {one}, group - {other}] if {one, other} <= group else [group]
        unique = list(dict.fromkeys(split))
        groups = [g for g in unique if not any(g < other_group for other_group in unique)]
    ordered = sorted(groups, key=lambda group: sorted(group))
    return [[_letter(place) for place, group in enumerate(ordered) if model in group] for model in range(count)]


def _letter(place: int) -> str:
    """a, b, …, z, a2, b2, …"""
    return chr(ord("a") + place % 26) + (str(place // 26 + 1) if place >= 26 else "")
