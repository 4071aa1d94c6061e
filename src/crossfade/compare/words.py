"""The sentences of a comparison: the best models, those not told from them, what they beat, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from crossfade.analysis.results_table import short
from crossfade.analysis.verdict import caution, spoken_p
from crossfade.compare.judge import Comparison, Judged
from crossfade.compare.models import Gathered, Model

NAMED = 4  # models that a sentence names with their numbers
EXPLAINED = 2  # models that what can be found is said of
FEW_REPEATS = 5  # under which a t-test has little power
ALL = {2: "both", 3: "all three", 4: "all four"}
NONE = {2: "neither", 3: "none of the three", 4: "none of the four"}


def sentences(found: Gathered, judged: Judged) -> Iterator[str]:
    """What came out, in words."""
    best, single = found.models[0], found.single
    equal = [c for c in judged.against_best if c.difference and not c.differ and c.second is not single]
    beaten = [c for c in judged.against_best if c.differ and c.second is not single]
    head = f"{best.label} ({found.metric.partition('/')[2].replace('_', ' ')} {best.mean(found.metric):.3f})"
    beside = _beside_single(found, judged, [best, *(c.second for c in equal)])
    if equal:
        yield f"{head} is not distinguishable from {_listed(equal, found.metric)}{beside and f'; {beside}'}."
    elif beside:
        yield f"{head} {beside}."
    if beaten:
        yield f"{best.label if equal or beside else head} beats {_listed(beaten, found.metric)}."
    if single is best:
        yield f"No fused model beats the best single modality, {best.single}."
    for c in judged.against_best:
        if c.difference is None:
            yield f"{best.label} and {c.second.label}: not tested ({c.evidence}). Train several seeds or folds."


def doubts(found: Gathered, judged: Judged) -> Iterator[str]:
    """Where there are too few seeds, folds or test groups: what they can find at all, and how many it would take."""
    equal = [c for c in judged.against_best if c.difference and not c.differ and c.detectable > 0]
    for c in equal[:EXPLAINED]:
        yield (
            f"{c.evidence} find a difference between {c.first.label} and {c.second.label} in four of five studies if "
            f"it is {_size(c.detectable)} or more; {_needed(c)}."
        )
    for c in judged.against_best:
        if c.difference and c.differ and abs(c.difference.value) < c.detectable:
            yield (
                f"{c.first.label} and {c.second.label}: {c.evidence} find less than {_size(c.detectable)} in fewer "
                f"than four of five studies. Where Δ = {c.difference.value:+.3f} was found nevertheless, it is usually "
                "smaller in truth."
            )
    fewest = min(len(model.values(found.metric)) for model in found.models)
    if 1 < fewest < FEW_REPEATS:
        yield f"Only {fewest} repeats: a difference must be large to be seen. Train more seeds or folds."
    groups = [c.groups for c in judged.against_best if c.groups is not None]
    if groups and (said := caution(min(groups))):
        yield said.strip()


def _needed(c: Comparison) -> str:
    """How much it would take to find the difference that was seen."""
    assert c.difference is not None
    size = _size(abs(c.difference.value))
    if c.difference.value == 0:
        return "here they do not differ at all"
    if c.needed is None:
        return f"{size} is too little for any number of seeds and folds of these data"
    what = f"{c.repeats} seeds and folds" if c.groups is None else f"{c.groups:,} test groups"
    return f"for {size} it takes about {c.needed:,} in place of {what}"


def _listed(comparisons: Sequence[Comparison], metric: str) -> str:
    """ "sum (0.812; Δ = …, p = …), max (…) and 3 more, 5 seeds": the first few with their numbers."""
    same = len({c.evidence for c in comparisons}) == 1
    parts = [
        f"{c.second.label} ({c.second.mean(metric):.3f}; {numbers(c)}{'' if same else f', {c.evidence}'})"
        for c in comparisons[:NAMED]
    ]
    if rest := comparisons[NAMED:]:
        parts.append(f"{len(rest)} more ({_range([c.p for c in rest])})")
    return _joined(parts) + (f", {comparisons[0].evidence}" if same else "")


def _beside_single(found: Gathered, judged: Judged, group: Sequence[Model]) -> str:
    """Whether the best models beat the best single modality: each of them, and not only the first."""
    single = found.single
    tests = [c for c in judged.against_single if c.first in group and c.difference is not None]
    if single is None or not tests:
        return ""
    name = f"the best single modality, {single.single}"
    wins = [c for c in tests if c.differ and c.difference and (c.difference.value > 0) == (found.better == "max")]
    rest = [c for c in tests if c not in wins]
    if len(group) == 1:
        says = "beats" if wins else "is not distinguishable from"
        return f"{says} {name} ({single.mean(found.metric):.3f}; {numbers(tests[0])}, {tests[0].evidence})"
    won, lost = (_range([c.p for c in some]) for some in (wins, rest))
    if not rest:
        return f"{ALL.get(len(wins), f'all {len(wins)}')} beat {name} ({won})"
    if not wins:
        return f"{NONE.get(len(rest), f'none of the {len(rest)}')} beats {name} ({lost})"
    names = _joined([c.first.label for c in wins])
    says, do = ("beats" if len(wins) == 1 else "beat"), ("the other does" if len(rest) == 1 else "the others do")
    return f"of these {names} {says} {name} ({won}), {do} not ({lost})"


def numbers(c: Comparison) -> str:
    """ "Δ = +0.008 ± 0.014, p = .310", or the ends of an interval that is not symmetric."""
    d = c.difference
    assert d is not None
    if math.isnan(d.low):
        return f"Δ = {d.value:+.3f}, no interval"
    if c.repeats > 1:
        return f"Δ = {d.value:+.3f} ± {d.high - d.value:.3f}, {spoken_p(c.p)}"
    return f"Δ = {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}], {spoken_p(c.p)}"


def _range(p: Sequence[float]) -> str:
    """ "p ≤ .002" of several that are small, "p ≥ .310" of several that are not."""
    if len(p) < 2:
        return "".join(spoken_p(one) for one in p)
    # rounded so that the bound holds; "p < .001" is one already
    sign, bound = ("≥", math.floor(1000 * min(p)) / 1000) if max(p) >= 0.05 else ("≤", math.ceil(1000 * max(p)) / 1000)
    return spoken_p(max(p) if max(p) < 0.001 else bound).replace("=", sign)


def _size(value: float) -> str:
    return short(value) if value >= 0.0005 else f"{value:.1e}"


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
