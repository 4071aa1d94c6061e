"""Which settings stand against each other, in which order, and which of them cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from crossfade.analysis.letters import group_letters
from crossfade.analysis.statistics import Compared, holm
from crossfade.analysis.verdict import caution, is_difference, verdict
from crossfade.sweeps.report.pairs import Pairs, Tested
from crossfade.sweeps.report.settings import Setting, best, honest, shared_blocks

MOST = 40  # settings that are tested against each other over seeds and folds
MOST_ON_SAMPLES = 8  # where each pair is a bootstrap of its predictions
FEW = 5  # repeats under which a t-test has little power


@dataclass(frozen=True)
class Ranking:
    """The settings that stand against each other, the best first; p adjusted by Holm over all of their pairs."""

    settings: list[Setting]
    different: frozenset[tuple[int, int]]  # the pairs that differ, places in `settings`
    letters: list[list[str]]  # two that share one are not distinguishable; empty where a pair could not be tested
    tested: dict[tuple[int, int], Tested]
    adjusted: dict[tuple[int, int], float]
    by_strategy: bool  # one setting of each strategy, or the settings of a single strategy
    by_validation: bool  # chosen without a look at the test splits
    left_out: int

    @property
    def scores(self) -> pd.DataFrame | None:
        """The shared repeats (rows) of each setting (columns); None where they are too few for ranks."""
        blocks = shared_blocks(self.settings)
        if len(self.settings) < 3 or len(blocks) < 2:
            return None
        names = [s.strategy if self.by_strategy else s.label for s in self.settings]
        return pd.DataFrame([[s.test[block] for s in self.settings] for block in blocks], columns=names)

    def difference(self, one: int, other: int) -> Compared | None:
        """The first's minus the second's, places in `settings` with one < other; its p is the adjusted one."""
        found = self.tested[one, other].difference
        return None if found is None else found._replace(p=self.adjusted.get((one, other), math.nan))


def rank(settings: Sequence[Setting], pairs: Pairs, better: str) -> Ranking:
    """One setting of each strategy, chosen on the validation splits, ordered by the test metric and tested in pairs.

    Where there is one strategy alone its settings stand against each other.
    """
    strategies = list(dict.fromkeys(s.strategy for s in settings))
    by_strategy = len(strategies) > 1
    chosen = list(settings)
    if by_strategy:
        chosen = [best([s for s in settings if s.strategy == name], better) for name in strategies]
    by_validation = honest(settings)
    sign = -1.0 if better == "max" else 1.0
    most = MOST if max(len(s.test) for s in chosen) > 1 else MOST_ON_SAMPLES
    kept = sorted(chosen, key=lambda s: sign * (s.chosen_by if by_validation else s.mean))[:most]
    ranked = sorted(kept, key=lambda s: sign * s.mean)
    tested = {(i, j): pairs(ranked[i], ranked[j]) for i, j in combinations(range(len(ranked)), 2)}
    known = {pair: test.p for pair, test in tested.items() if not math.isnan(test.p)}
    adjusted = dict(zip(known, holm(list(known.values())), strict=True))
    different = frozenset(
        pair for pair, p in adjusted.items() if (d := tested[pair].difference) is not None and is_difference(d, p)
    )
    letters = group_letters(len(ranked), different) if len(known) == len(tested) > 0 else []
    return Ranking(ranked, different, letters, tested, adjusted, by_strategy, by_validation, len(chosen) - len(kept))


def sentences(ranking: Ranking, single: Setting | None, pairs: Pairs, better: str) -> Iterator[str]:
    """What came out, in words: the best against the next ones, its group, the best single modality."""
    first, *others = ranking.settings
    name = pairs.metric.partition("/")[2]
    if others:
        test = ranking.difference(0, 1)
        rests_on = ranking.tested[0, 1]
        if test is None or math.isnan(test.p):
            yield f"{first.label} and {others[0].label}: not tested ({rests_on.evidence}). Train more seeds or folds."
        else:
            values = (first.mean, others[0].mean)
            found = verdict(first.label, others[0].label, name, values, test, rests_on.evidence, better)
            yield found + ("" if rests_on.groups is None else caution(rests_on.groups))
    if ranking.letters and len(others) > 1:
        alike = [s.label for place, s in enumerate(others, start=1) if (0, place) not in ranking.different]
        if len(alike) == len(others):
            yield f"None of the {len(others)} others is distinguishable from {first.label}: {_listed(alike)}."
        elif alike:
            worse = len(others) - len(alike)
            yield f"Not distinguishable from {first.label}: {_listed(alike)}. It beats the other {worse}."
        else:
            yield f"{first.label} beats each of the {len(others)} others."
    if single is not None:
        alone = pairs(first, single)
        if alone.difference is None or math.isnan(alone.p):
            yield f"{first.label} and {single.label}: not tested ({alone.evidence})."
        else:
            other = f"the best single modality, {single.strategy}"
            values = (first.mean, single.mean)
            found = verdict(first.label, other, name, values, alone.difference, alone.evidence, better)
            yield found + ("" if alone.groups is None else caution(alone.groups))
    fewest = min(len(s.test) for s in ranking.settings)
    if 1 < fewest < FEW:
        yield f"Only {fewest} repeats: a difference must be large to be seen. Train more seeds or folds."


def _listed(names: Sequence[str], most: int = 6) -> str:
    shown = list(names[:most])
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*shown, *more])
