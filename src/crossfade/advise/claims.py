"""From the estimate to claims that a sweep can test, and to sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from crossfade.advise.estimate import REST, WAYS, Estimate
from crossfade.advise.ways import Strategy
from crossfade.analysis.intervals import Interval

Expected = Literal["better", "no difference", "open"]
SAID = {
    "averages": "each modality decides, and decisions are averaged",
    "adds": "what the modalities say is added up",
    "mixes": "one modality changes what another means",
}
SOME = 0.02  # bits, below which a part is not worth a word
OFTEN_ABSENT = 0.05
FAMILIES = 3  # of each way, in the sweep that is proposed


@dataclass(frozen=True)
class Claim:
    """`first` against `second`: ways of joining, or "the best single modality"; what is expected, and from what."""

    first: str
    second: str
    expected: Expected
    probes: Interval


SINGLE = "the best single modality"


def claims_of(found: Estimate) -> list[Claim]:
    """What joins more against what joins less, and the best way against the best single modality."""
    best = found.best_single
    pairs = [("mixes", "adds", "adds"), ("adds", "averages", "averages"), (best_way(found), SINGLE, best)]
    claims = []
    for first, second, name in pairs:
        gain = found.gain[first, name]
        claims.append(Claim(first, second, _expected(gain, found.margin), gain))
    return claims


def best_way(found: Estimate) -> str:
    """The simplest way that no other beats by the margin."""
    for way in WAYS:
        if all(_expected(found.gain[other, way], found.margin) != "better" for other in WAYS if other != way):
            return way
    return WAYS[-1]


def _expected(gain: Interval, margin: float) -> Expected:
    if gain.low > 0 and gain.value >= margin:
        return "better"
    return "no difference" if gain.high < margin else "open"


def advised(found: Estimate) -> dict[str, int]:
    """The rank of each way, 1 the best; ways that nothing is expected to tell apart share one."""
    value = {way: found.reached[way].accuracy.value for way in WAYS}
    ranks = {}
    for way in WAYS:
        ranks[way] = 1 + sum(
            _expected(found.gain[other, way], found.margin) == "better" and value[other] > value[way]
            for other in WAYS
            if other != way
        )
    return ranks


def by_family(strategies: Sequence[Strategy], way: str) -> dict[str, list[str]]:
    """Family → its strategies that join in this way."""
    found: dict[str, list[str]] = {}
    for s in strategies:
        if s.way == way:
            found.setdefault(s.family, []).append(s.name)
    return found


def sentences(found: Estimate, strategies: Sequence[Strategy], core: str) -> Iterator[str]:
    """The advice in words."""
    yield from _about_information(found)
    mixing, adding, single = claims_of(found)
    here = {s.way for s in strategies if s.way != "averages"}
    if mixing.expected == "better":
        yield (
            f"Strategies that mix should win, {_gain(mixing)} over adding up: what one modality says depends on "
            f"another, which no sum can tell."
        )
    elif mixing.expected == "no difference":
        yield (
            f"Mixing should bring nothing over adding up ({_gain(mixing)}): the modalities' evidence adds, so take "
            "what is simplest."
        )
    else:
        yield f"Whether mixing beats adding up is open ({_gain(mixing)})."
    if adding.expected == "better":
        yield (
            f"Averaged decisions should lose ({_gain(adding)} for adding up): single modalities are unsure where all "
            "together are sure, and a mean of unsure decisions stays unsure."
        )
    elif adding.expected == "no difference":
        yield f"Averaged decisions should do as well as adding up ({_gain(adding)})."
    else:
        yield f"Whether adding up beats averaged decisions is open ({_gain(adding)})."
    best = found.best_single
    if single.expected == "better":
        yield f"Fusion should beat the best single modality, {best} ({_gain(single)})."
    elif single.expected == "no difference":
        yield (
            f"Fusion should not beat {best} alone ({_gain(single)}): weights that can be learned or given to it "
            "(elementwise with α, gates) do least harm, even ones (mean, sum, averaged decisions) dilute it."
        )
    else:
        yield f"Whether fusion beats {best} alone is open ({_gain(single)})."
    if here == {"mixes"} and core != "none":
        yield (
            f"With core={core} every strategy that joins features mixes, by its core if not by itself: these families "
            "should differ little here. With core=none they would differ as said above."
        )
    absent = {m: 1 - share for m, share in found.present.items() if 1 - share > OFTEN_ABSENT}
    if absent:
        each = ", ".join(f"{m} in {share:.0%}" for m, share in absent.items())
        yield (
            f"Absent: {each} of the samples. The robust family, averaged decisions and balance=modality_dropout are "
            "made for that; docs/missing.md says how to score it."
        )


def _about_information(found: Estimate) -> Iterator[str]:
    for (first, second), parts in found.parts.items():
        if len(found.modalities) > 2 and second != REST:
            continue
        total = parts.redundancy.value + parts.unique_first.value + parts.unique_second.value + parts.synergy.value
        if total < SOME:
            continue
        words = {
            "redundant": parts.redundancy,
            f"unique to {first}": parts.unique_first,
            f"unique to {second}": parts.unique_second,
            "synergy": parts.synergy,
        }
        name, most = max(words.items(), key=lambda item: item[1].value)
        if second != REST:
            yield f"Of {total:.2f} bits most are {name}: {most.value:.2f} [{most.low:.2f}, {most.high:.2f}]."
    if len(found.modalities) > 2:
        own = {
            first: parts.unique_first
            for (first, second), parts in found.parts.items()
            if second == REST and parts.unique_first.low > 0 and parts.unique_first.value > SOME
        }
        shown = ", ".join(f"{m} {u.value:.2f} bits" for m, u in sorted(own.items(), key=lambda item: -item[1].value))
        yield f"What no other modality tells: {shown}." if own else "No modality tells what the others do not."
    without = [m for m in found.modalities if found.reached[m].bits.high < SOME]
    if without:
        yield f"By itself {', '.join(without)} tells nothing that these features show."


def _gain(claim: Claim) -> str:
    g = claim.probes
    return f"{g.value:+.3f} [{g.low:+.3f}, {g.high:+.3f}] balanced accuracy of the probes"


def to_try(strategies: Sequence[Strategy]) -> list[str]:
    """Strategies for a sweep that tests the claims: of each way the leanest of up to three families."""
    chosen = []
    for way in WAYS:
        leanest: dict[str, Strategy] = {}
        for s in sorted((s for s in strategies if s.way == way), key=lambda s: (s.parameters, s.name)):
            leanest.setdefault(s.family, s)
        chosen += [s.name for s in list(leanest.values())[:FAMILIES]]
    return chosen
