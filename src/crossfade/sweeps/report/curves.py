"""The α-landscape of a sweep: of each strategy the metric against α, and what stands beside the curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossfade.analysis.landscape import Optimum, flat_range, optimum
from crossfade.sweeps.report.pairs import Pairs, best_single
from crossfade.sweeps.report.settings import Estimate, Setting, best, estimate, honest, shared_blocks

PANELS = 4  # combinations of other settings that are shown beside each other
LEVELS = 6  # strategies without α that are drawn as lines
MOST_ON_SAMPLES = 40  # points of curves of one repeat, each tested on its predictions


@dataclass(frozen=True)
class Curve:
    """One strategy over α: the settings on the line, rising in α, their optimum, the flat range, learned α."""

    strategy: str
    settings: list[Setting]
    best: Optimum | None  # None where the points do not share their repeats
    flat: tuple[float, float] | None
    learned: Setting | None

    @property
    def alpha(self) -> np.ndarray:
        return np.array([s.alpha for s in self.settings])

    @property
    def estimates(self) -> list[Estimate]:
        return [s.estimate for s in self.settings]

    @property
    def learned_alpha(self) -> Estimate | None:
        """α as it was learned, over the repeats."""
        if self.learned is None:
            return None
        return estimate([row["alpha"] for row in self.learned.rows.values()], 0.0)


@dataclass(frozen=True)
class Panel:
    """The curves of one combination of the other settings, strategies without α, and what to hold them against."""

    title: str
    curves: list[Curve]
    levels: list[Setting]
    single: Setting | None
    bound: float  # of the Bayes classifier; NaN where it is not known
    best_alpha: float  # of the first modality, in closed form; NaN where there is none


@dataclass(frozen=True)
class Landscape:
    panels: list[Panel]
    hidden: int  # combinations of other settings that are not shown
    off_line: int  # settings whose α is no single number
    unshown: int  # strategies without α that are not drawn


def landscape_of(settings: Sequence[Setting], pairs: Pairs, better: str) -> Landscape | None:
    """The landscape; None where no strategy has two fixed values of α."""
    groups: dict[str, list[Setting]] = {}
    for setting in settings:
        if not math.isnan(setting.alpha):
            groups.setdefault(_context(setting.factors), []).append(setting)
    swept = {title: own for title, own in groups.items() if _swept(own)}
    if not swept:
        return None
    sign = -1.0 if better == "max" else 1.0
    judged = honest([s for own in swept.values() for s in own])

    def rank(title: str) -> float:
        top = best(swept[title], better)
        return sign * (top.chosen_by if judged else top.mean)

    order = sorted(swept, key=rank)
    shown = order[:PANELS]
    points = sum(len(own) for title in shown for own in _swept(swept[title]).values())
    panels, unshown = [], 0
    for title in shown:
        own = swept[title]
        curves = [_curve(name, some, own, pairs, better, points) for name, some in _swept(own).items()]
        at = curves[0].settings[0]
        flat = [s for s in settings if math.isnan(s.alpha) and _fits(s.factors, at.factors)]
        levels = sorted(flat, key=lambda s: sign * s.mean)
        unshown = max(unshown, len(levels) - LEVELS)
        single = best_single(pairs.path, at.rows, pairs.metric, better)
        known = at.over_repeats("bound"), at.over_repeats("best_alpha")
        panels.append(Panel(title, curves, levels[:LEVELS], single, *known))
    off_line = sum(not s.on_line and not s.learned for s in settings)
    return Landscape(panels, len(order) - len(shown), off_line, unshown)


def _fits(factors: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Do they agree wherever both say something? What plays no part in a strategy is not among its factors."""
    return all(others[key] == value for key, value in factors.items() if key in others)


def _context(factors: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in factors.items())


def _swept(settings: Sequence[Setting]) -> dict[str, list[Setting]]:
    """By strategy its settings of fixed α, rising; of strategies with two at least."""
    found: dict[str, list[Setting]] = {}
    for s in sorted(settings, key=lambda s: s.alpha):
        if not math.isnan(s.alpha) and s.on_line and not s.learned:
            found.setdefault(s.strategy, []).append(s)
    return {name: own for name, own in found.items() if len(own) > 1}


def _curve(
    strategy: str, points: list[Setting], settings: Sequence[Setting], pairs: Pairs, better: str, every: int
) -> Curve:
    learned = next((s for s in settings if s.strategy == strategy and s.learned), None)
    blocks = shared_blocks(points)
    if not blocks:
        return Curve(strategy, points, None, None, learned)
    alpha = np.array([s.alpha for s in points])
    found = optimum(alpha, np.array([[s.test[block] for s in points] for block in blocks]), better)
    flat = None
    if len(blocks) > 1 or every <= MOST_ON_SAMPLES:
        tests = {i: pairs(points[found.place], s).difference for i, s in enumerate(points) if i != found.place}
        if None not in tests.values():
            flat = flat_range(alpha, found.place, {i: t for i, t in tests.items() if t is not None})
    return Curve(strategy, points, found, flat, learned)
