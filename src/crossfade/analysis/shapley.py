"""Which modality matters: Shapley values and interactions over the presence patterns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
import pandas as pd

from crossfade.analysis.intervals import Interval, bootstrap_means
from crossfade.analysis.patterns import is_complete, modality_orders
from crossfade.analysis.scores import Scores
from crossfade.runs import RunFolder


@dataclass(frozen=True)
class Shares:
    """Of one target: each sample's Shapley values (M, N) and interactions (M, M, N), and what they are shares of.

    NaN in samples whose truth is not known. The values of a sample sum to what the full model's prediction is worth
    more than one that looks at nothing. Of many modalities they are estimated from `orders` in which these come, with
    standard errors (M,) of their means over the samples; then there are no interactions.
    """

    modalities: tuple[str, ...]
    of: str
    values: np.ndarray
    interactions: np.ndarray | None
    orders: int = 0
    sampling_sd: np.ndarray | None = None

    def mean(self) -> np.ndarray:
        """The values' mean over the samples, (M,)."""
        return np.nanmean(self.values, axis=1)

    def intervals(self, groups: Sequence[str]) -> list[Interval]:
        """Per modality the mean and its 95 % interval over groups of samples."""
        known = ~np.isnan(self.values).any(0)
        return bootstrap_means(self.values[:, known], np.asarray(groups)[known])


def shares_of(scores: Scores) -> Shares | None:
    """The Shapley values of a target; None where no worth of a single sample is defined."""
    if scores.worth is None or scores.worth_of_nothing is None:
        return None
    nothing = np.broadcast_to(scores.worth_of_nothing, scores.worth.shape[1:])
    # a pattern that leaves a sample with nothing is worth what a prediction without any input is
    worth = np.where(np.isnan(scores.worth), nothing, scores.worth)
    if not is_complete(scores.patterns):
        orders = modality_orders(len(scores.modalities))
        values, sd = sampled_values(scores.patterns, worth, nothing, orders)
        return Shares(scores.modalities, scores.worth_is, values, None, len(orders), sd)
    values, pairs = shapley_values(scores.patterns, worth, nothing), interactions(scores.patterns, worth, nothing)
    return Shares(scores.modalities, scores.worth_is, values, pairs)


def shapley_values(patterns: np.ndarray, worth: np.ndarray, nothing: np.ndarray) -> np.ndarray:
    """φ_m = Σ_{S∌m} |S|!(M−|S|−1)!/M! · (v(S∪m) − v(S)), (M, …): Shapley 1953, doi:10.1515/9781400881970-018.

    patterns bool (2^M − 1, M), worth (2^M − 1, …) their v(S), nothing (…) is v(∅).
    """
    v, modalities = _by_number(patterns, worth, nothing), patterns.shape[1]
    found = np.zeros((modalities, *worth.shape[1:]))
    for subset in range(2**modalities):
        size = subset.bit_count()
        for m in range(modalities):
            if not subset >> m & 1:
                weight = factorial(size) * factorial(modalities - size - 1) / factorial(modalities)
                found[m] += weight * (v[subset | 1 << m] - v[subset])
    return found


def sampled_values(
    patterns: np.ndarray, worth: np.ndarray, nothing: np.ndarray, orders: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """φ_m = mean over orders of v(those before m, and m) − v(those before m), (M, N), and the sd of its mean over N.

    Castro et al. 2009, doi:10.1016/j.cor.2008.04.004. The values of a sample still sum to v(all) − v(∅). The second
    half of `orders` (R, M) are the first reversed (antithetic): the sd is that of a mean over R/2 independent pairs.
    """
    place = {row.tobytes(): i for i, row in enumerate(patterns)}
    gains = np.zeros((*orders.shape, *worth.shape[1:]))
    for gain, order in zip(gains, orders, strict=True):
        here, before = np.zeros(patterns.shape[1], bool), nothing
        for m in order:
            here[m] = True
            now = worth[place[here.tobytes()]]
            gain[m], before = now - before, now
    pairs = np.nanmean(gains, axis=2).reshape(2, len(orders) // 2, -1).mean(0)
    return gains.mean(0), pairs.std(0, ddof=1) / np.sqrt(len(pairs))


def interactions(patterns: np.ndarray, worth: np.ndarray, nothing: np.ndarray) -> np.ndarray:
    """I_ab = Σ_{S∌a,b} |S|!(M−|S|−2)!/(M−1)! · (v(S∪ab) − v(S∪a) − v(S∪b) + v(S)), (M, M, …), 0 on the diagonal.

    Above 0: the two are worth more together (synergy); below 0: one makes the other superfluous (redundancy).
    Grabisch & Roubens 1999, doi:10.1007/s001820050125, the definition of the index.
    """
    v, modalities = _by_number(patterns, worth, nothing), patterns.shape[1]
    found = np.zeros((modalities, modalities, *worth.shape[1:]))
    for subset in range(2**modalities):
        size = subset.bit_count()
        for a in range(modalities):
            for b in range(a):
                if subset >> a & 1 or subset >> b & 1:
                    continue
                weight = factorial(size) * factorial(modalities - size - 2) / factorial(modalities - 1)
                with_a, with_b = subset | 1 << a, subset | 1 << b
                found[a, b] += weight * (v[with_a | with_b] - v[with_a] - v[with_b] + v[subset])
                found[b, a] = found[a, b]
    return found


def _by_number(patterns: np.ndarray, worth: np.ndarray, nothing: np.ndarray) -> np.ndarray:
    """v, (2^M, …), at the number whose bits are the modalities that are there."""
    v = np.empty((2 ** patterns.shape[1], *worth.shape[1:]))
    v[0] = nothing
    v[patterns @ (1 << np.arange(patterns.shape[1]))] = worth
    return v


def write_shares(
    folder: RunFolder, found: Mapping[str, Scores], ids: Sequence[str], groups: Sequence[str]
) -> dict[str, dict[str, object]]:
    """shapley_<target>.csv, shapley_pairs_… and shapley_samples_<target>.csv; returns what a summary keeps."""
    kept: dict[str, dict[str, object]] = {}
    for name, scores in found.items():
        shares = shares_of(scores)
        if shares is None or np.isnan(shares.values).all():
            continue
        rows: list[dict[str, object]] = [i._asdict() for i in shares.intervals(groups)]
        if shares.sampling_sd is not None:
            rows = [row | {"sampling_sd": float(sd)} for row, sd in zip(rows, shares.sampling_sd, strict=True)]
        table = pd.DataFrame(rows, index=pd.Index(shares.modalities, name="modality")).reset_index()
        folder.write_table(f"shapley_{name}", table)
        if shares.interactions is not None:
            pairs = pd.DataFrame(np.nanmean(shares.interactions, axis=2), columns=list(shares.modalities))
            pairs.insert(0, "modality", shares.modalities)
            folder.write_table(f"shapley_pairs_{name}", pairs)
        each = pd.DataFrame(shares.values.T, columns=list(shares.modalities))
        folder.write_table(f"shapley_samples_{name}", pd.concat([pd.Series(list(ids), name="id"), each], axis=1))
        values = dict(zip(shares.modalities, rows, strict=True))
        of = shares.of if shares.interactions is not None else f"{shares.of}, estimated from {shares.orders} orders"
        kept[name] = {"of": of, "values": values}
    return kept
