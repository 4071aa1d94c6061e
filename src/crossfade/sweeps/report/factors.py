"""What the swept settings do to the metric, alone and together: on the part of the sweep that is a full grid."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from crossfade.analysis.functional_anova import Share, variance_shares
from crossfade.analysis.results_table import short
from crossfade.sweeps.report.settings import Setting

STRATEGY, ALPHA = "fusion", "α"
LEARNED = "learned"
MOST = 8  # settings: 2^8 parts of the variance


@dataclass(frozen=True)
class Grid:
    """A full grid: its factors with their levels, and the metric (levels of the first, …, of the last, repeats)."""

    levels: Mapping[str, list[Any]]
    values: np.ndarray
    shares: list[Share]

    @property
    def names(self) -> list[str]:
        return list(self.levels)

    def named(self, share: Share) -> str:
        """ "fusion × α"; "seed and fold" for what repeats differ by."""
        if share.axes == (len(self.levels),):
            return "seed and fold"
        return " × ".join(self.names[axis] for axis in share.axes)

    def over(self, one: str, other: str) -> np.ndarray:
        """Means over everything else, (levels of one, levels of other)."""
        axes = (self.names.index(one), self.names.index(other))
        rest = tuple(axis for axis in range(self.values.ndim) if axis not in axes)
        means = self.values.mean(axis=rest)
        return means if axes[0] < axes[1] else means.T

    @property
    def foremost(self) -> tuple[str, str]:
        """The two factors that explain most, alone and with each other."""
        alone = {share.axes[0]: share.share for share in self.shares if len(share.axes) == 1}
        both = {share.axes: share.share for share in self.shares if len(share.axes) == 2}
        pairs = [(a, b) for a in range(len(self.levels)) for b in range(a + 1, len(self.levels))]
        first, second = max(pairs, key=lambda p: alone.get(p[0], 0.0) + alone.get(p[1], 0.0) + both.get(p, 0.0))
        return self.names[first], self.names[second]


def factors_of(setting: Setting) -> dict[str, Any]:
    """Every factor of a setting: strategy, α where it has one, and what else differs in the sweep."""
    found: dict[str, Any] = {STRATEGY: setting.strategy}
    if setting.learned:
        found[ALPHA] = LEARNED
    elif not math.isnan(setting.alpha):
        found[ALPHA] = round(setting.alpha, 6) if setting.on_line else setting.label.partition("α=")[2].split(" ")[0]
    return found | dict(setting.factors)


def varying_factors(settings: Sequence[Setting]) -> dict[str, list[Any]]:
    """The factors that have several levels, each with its levels: numbers rising, then words in the sweep's order."""
    return several_levels([factors_of(s) for s in settings])


def several_levels(described: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The same of anything that is described by name and value."""
    names = dict.fromkeys(name for one in described for name in one)
    levels = {name: _ordered([one[name] for one in described if name in one]) for name in names}
    return {name: found for name, found in levels.items() if len(found) > 1}


def grid_of(settings: Sequence[Setting]) -> tuple[Grid | None, str]:
    """The full grid, and what it covers or why there is none.

    Settings that play no part everywhere (α in `sum`) are no grid with those in which they do: then the strategies that
    have all of the settings are looked at.
    """
    factors = varying_factors(settings)
    kept = [s for s in settings if factors.keys() <= factors_of(s).keys()]
    if len(kept) < len(settings):
        without = sorted({s.strategy for s in settings} - {s.strategy for s in kept})
        note = f"Without {', '.join(without)}, in which not every setting plays a part." if without else ""
        factors = varying_factors(kept)
    else:
        note = ""
    if not factors:
        return None, "No setting has several values that every run uses."
    if len(factors) > MOST:
        return None, f"{len(factors)} settings vary: importance is worked out for up to {MOST}."
    by_cell = {_cell(factors_of(s)[name] for name in factors): s for s in kept}
    count = math.prod(map(len, factors.values()))
    full, left_out = _full_part(factors, by_cell)
    if full is None:
        return None, (
            f"No full grid: {len(by_cell)} of {count} combinations of {', '.join(factors)} have finished, and the "
            "variance divides exactly on a full grid only."
        )
    if left_out:
        note = f"{note} Without {', '.join(left_out)}, where combinations have not finished.".strip()
    factors = full
    there = [by_cell[_cell(cell)] for cell in product(*factors.values())]
    blocks = sorted(set.intersection(*(set(s.test) for s in there)))
    if not blocks:
        return None, "No seed and fold is shared by all combinations, so nothing divides the variance."
    shape = (*map(len, factors.values()), len(blocks))
    values = np.array([[s.test[block] for block in blocks] for s in there]).reshape(shape)
    return Grid(factors, values, variance_shares(values, repeated=len(factors))), note


def _cell(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(map(repr, values))


def _full_part(
    factors: Mapping[str, list[Any]], known: Collection[tuple[str, ...]]
) -> tuple[dict[str, list[Any]] | None, list[str]]:
    """A full grid without the levels that lack the most, and which these are: one failed job is no reason for silence.

    None where a factor would be left with one level, or less than half of what is known; and at once where points are
    no grid at all, but drawn: of 100 with four numbers there are 10⁸ combinations.
    """
    if math.prod(map(len, factors.values())) > 4 * len(known):
        return None, []
    levels = {name: list(found) for name, found in factors.items()}
    left_out = []
    while missing := [cell for cell in product(*levels.values()) if _cell(cell) not in known]:
        lacking = Counter((axis, repr(level)) for cell in missing for axis, level in enumerate(cell))
        axis, level = max(lacking, key=lambda place: lacking[place] * len(list(levels.values())[place[0]]))
        name = list(levels)[axis]
        left_out.append(f"{name}={level.strip(chr(39))}")
        levels[name] = [other for other in levels[name] if repr(other) != level]
        if len(levels[name]) < 2 or 2 * math.prod(map(len, levels.values())) < len(known):
            return None, []
    return levels, left_out


def _ordered(values: Sequence[Any]) -> list[Any]:
    """Each once; numbers first and rising, words as they came."""
    unique = list(dict.fromkeys(values))
    numbers = [v for v in unique if isinstance(v, int | float) and not isinstance(v, bool)]
    return [*sorted(numbers), *(v for v in unique if v not in numbers or isinstance(v, bool))]


def spoken_level(value: Any) -> str:
    """A level as it stands at an axis: .1, 64, 1e-4, true, a word."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value != int(value) and 1e-3 <= abs(value) < 1:
        return short(value, 3).rstrip("0")
    return f"{value:g}" if isinstance(value, int | float) else str(value)
