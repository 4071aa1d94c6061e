"""Which of the models differ: each against the best, and the best ones against the best single modality."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from crossfade.analysis.paired import RESAMPLES, compare_tables, only_one_right
from crossfade.analysis.power import detectable_over_repeats, detectable_over_samples, groups_needed, repeats_needed
from crossfade.analysis.statistics import Compared, cliffs_delta, cohens_d, corrected_t, holm
from crossfade.analysis.verdict import is_difference
from crossfade.compare.models import Gathered, Model, Place
from crossfade.errors import UserError

DRAWS_A_PAIR = 40  # of a permutation test, so that its least p can be below 5 % after the adjustment for all pairs


@dataclass(frozen=True)
class Comparison:
    """Two models: difference, p adjusted for the number of comparisons, and what they rest on.

    `groups` are those of the test samples where the test is over samples; `repeats` the seeds and folds where it is
    over those, with their effect sizes Cohen's d_z and Cliff's δ. `detectable` is the least difference that four of
    five such studies find, `needed` how many repeats or groups would find this one so often. `right`: the samples
    that only one of them has right, and McNemar's p.
    """

    first: Model
    second: Model
    difference: Compared | None
    evidence: str
    p: float = math.nan
    repeats: int = 1
    groups: int | None = None
    cohens_d: float = math.nan
    cliffs_delta: float = math.nan
    detectable: float = math.nan
    needed: int | None = None
    right: tuple[int, int, float] | None = None

    @property
    def differ(self) -> bool:
        """Whether the adjusted p and the interval agree on a difference."""
        return self.difference is not None and is_difference(self.difference, self.p)


@dataclass(frozen=True)
class Judged:
    """Every other model against the best, and every other against the best single modality where that is not best."""

    against_best: list[Comparison]
    against_single: list[Comparison]


def judge(found: Gathered) -> Judged:
    """Compare the models, the p-values adjusted by Holm's method for all pairs that there are.

    For all, since the best was chosen by the same numbers: against the best alone, five equal models would make a
    difference in nearly one of ten studies.
    """
    best, *others = found.models
    raw = [_pair(best, other, found) for other in others]
    single = found.single
    rivals = [] if single is None or single is best else [model for model in others if model is not single]
    beside = [_pair(model, single, found) for model in rivals] if single is not None else []
    adjusted = _adjusted([*raw, *beside], math.comb(len(found.models), 2))
    against_best, against_single = adjusted[: len(raw)], adjusted[len(raw) :]
    return Judged(against_best, [c for c in against_best if c.second is single] + against_single)


def _adjusted(comparisons: Sequence[Comparison], pairs: int) -> list[Comparison]:
    tested = {i: c.difference.p for i, c in enumerate(comparisons) if c.difference and not math.isnan(c.difference.p)}
    p_of = dict(zip(tested, holm(list(tested.values()), pairs), strict=True))
    return [replace(c, p=p_of.get(i, math.nan)) for i, c in enumerate(comparisons)]


def shared_places(models: Sequence[Model]) -> list[Place]:
    """Seeds and folds that all of them have, in the order of the first."""
    return [place for place in models[0].repeats if all(place in model.repeats for model in models)]


def block_table(found: Gathered) -> pd.DataFrame:
    """The metric by seed and fold (rows that all models have) and model (columns)."""
    places = shared_places(found.models)
    return pd.DataFrame(
        {m.label: [m.repeats[place].metrics[found.metric] for place in places] for m in found.models},
        index=pd.Index([f"seed {seed}" + ("" if fold is None else f" fold {fold}") for seed, fold in places]),
        dtype=float,
    )


def _pair(a: Model, b: Model, found: Gathered) -> Comparison:
    """a − b over the repeats that they share, or over the test samples where that is one."""
    shared = shared_places([a, b])
    if not shared:
        raise UserError(
            f"{a.label} and {b.label} share no seed and fold, so nothing can be paired. Train one with both."
        )
    if len(shared) == 1:
        return _over_samples(a, b, shared[0], found)
    pairs = [(a.repeats[k].metrics[found.metric], b.repeats[k].metrics[found.metric]) for k in shared]
    known = [(x, y) for x, y in pairs if x is not None and y is not None]
    differences = [x - y for x, y in known]
    share = statistics.fmean(a.repeats[k].test_share for k in shared)
    if len(known) < 2:
        return Comparison(a, b, None, f"{len(known)} repeats in which both have the metric")
    d = corrected_t(differences, share)
    sd = statistics.stdev(differences)
    return Comparison(
        a,
        b,
        d,
        spoken_places(shared),
        repeats=len(known),
        cohens_d=cohens_d(differences),
        cliffs_delta=cliffs_delta([x for x, _ in known], [y for _, y in known]),
        detectable=detectable_over_repeats(sd, len(known), share),
        needed=repeats_needed(d.value, sd, share) if d.value and sd else None,
    )


def _over_samples(a: Model, b: Model, place: Place, found: Gathered) -> Comparison:
    target, metric = found.metric.split("/", 1)
    runs = (a.repeats[place].folder, b.repeats[place].folder)
    one, other = (run.predictions("test") for run in runs)
    drawn = (runs[0].table(f"resamples_{target}"), runs[1].table(f"resamples_{target}"))
    try:
        draws = max(RESAMPLES, DRAWS_A_PAIR * math.comb(len(found.models), 2))
        d = compare_tables(one, other, target, metric, found.multiclass, drawn, draws)
    except ValueError as error:
        where = " and ".join(str(run.path) for run in runs)
        raise UserError(f"{where}: {error}. Compare runs of the same data, seed and fold.") from error
    if d is None:
        return Comparison(a, b, None, "one run each, and no test of this metric")
    groups = int(one["group"].nunique())
    evidence = f"{len(one)} test samples" + (f" of seed {place[0]}" if len(a.repeats) + len(b.repeats) > 2 else "")
    defined = not math.isnan(d.low)
    return Comparison(
        a,
        b,
        d,
        evidence,
        groups=groups,
        detectable=detectable_over_samples(d.low, d.high) if defined else math.nan,
        needed=groups_needed(d.value, d.low, d.high, groups) if defined else None,
        right=only_one_right(one, other, target) if found.multiclass else None,
    )


def spoken_places(places: Sequence[Place]) -> str:
    """ "3 seeds × 5 folds"."""
    counts = [
        (len({seed for seed, _ in places}), "seed"),
        (len({fold for _, fold in places if fold is not None}), "fold"),
    ]
    return " × ".join(f"{n} {word}{'s' * (n > 1)}" for n, word in counts if n > (0 if word == "seed" else 1))
