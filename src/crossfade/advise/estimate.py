"""From frozen features to what the modalities tell: parts of information, and what each way of joining them reaches."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossfade.advise.features import Frozen
from crossfade.analysis.interplay import Interplay, interplay, mean_interval, resampling
from crossfade.analysis.intervals import Interval
from crossfade.analysis.probes import (
    Folds,
    View,
    adding,
    alone,
    averaging,
    cells_of,
    folds_of,
    joint_features,
    mixing,
    own_features,
)

WAYS = ("averages", "adds", "mixes")  # of joining modalities, each more able than the one before
DRAWS = 1000  # of the scores' intervals
PAIRS = 6  # modalities beyond which pairs are not looked at, only each against the rest


@dataclass(frozen=True)
class Reached:
    """What a classifier reaches on samples not seen: bits of information, and balanced accuracy."""

    bits: Interval
    accuracy: Interval


@dataclass(frozen=True)
class Estimate:
    """All that was found; parts of information by (first, second), where "the rest" are all other modalities.

    `gain[a, b]` is balanced accuracy of a less that of b, on the same samples. A name in `reached` and `gain` is a
    modality or one of WAYS.
    """

    target: str
    modalities: tuple[str, ...]
    classes: int
    samples: int
    parts: dict[tuple[str, str], Interplay]
    reached: dict[str, Reached]
    gain: dict[tuple[str, str], Interval]
    present: dict[str, float]
    notes: list[str]

    @property
    def best_single(self) -> str:
        """The modality that tells most by itself."""
        return max(self.modalities, key=lambda m: self.reached[m].bits.value)

    @property
    def margin(self) -> float:
        """A tenth of what the best reaches over chance: what is less is no difference."""
        return 0.1 * max(0.05, max(r.accuracy.value for r in self.reached.values()) - 1 / self.classes)


REST = "the rest"


def estimate(frozen: Frozen, seed: int = 0) -> Estimate:
    """Cross-fit the probes of every modality, pair and rest, and decompose what they say."""
    rng = np.random.default_rng(seed)
    names = tuple(frozen.features)
    fold = np.full(len(frozen.labels), -1)
    fold[frozen.judged] = folds_of(frozen.groups[frozen.judged], rng)
    folds = Folds(frozen.labels, fold, int(frozen.labels.max()) + 1)
    views = {m: View.of(frozen.features[m], frozen.present[m]) for m in names}
    own = {m: alone(folds, own_features(view, rng), rng) for m, view in views.items()}

    def together(of: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        parts = [own[m] for m in of]
        without = adding(folds, parts)
        return without, mixing(folds, parts, joint_features([views[m] for m in of], rng), without)

    found = {m: one.log_p for m, one in own.items()}
    added, mixed = together(names)
    says = {**found, "averages": averaging(folds, list(own.values())), "adds": added, "mixes": mixed}
    judged = frozen.judged
    truth, groups = frozen.labels[judged], frozen.groups[judged]
    weights = resampling(groups, seed)

    def cells(log_p: np.ndarray, joint: bool = False) -> np.ndarray:
        return cells_of(np.exp(log_p[judged]), rng, joint)

    of_one = {m: cells(log_p) for m, log_p in found.items()}
    of_all = cells(mixed, joint=True)
    parts: dict[tuple[str, str], Interplay] = {}
    if len(names) <= PAIRS:
        for a, b in itertools.combinations(names, 2):
            pair = of_all if len(names) == 2 else cells(together([a, b])[1], joint=True)
            parts[a, b] = interplay(of_one[a], of_one[b], pair, truth, weights)
    if len(names) > 2:
        for m in names:
            rest = cells(together([other for other in names if other != m])[1])
            parts[m, REST] = interplay(of_one[m], rest, of_all, truth, weights)
    draws = resampling(groups, seed, DRAWS)
    right = {name: (log_p[judged].argmax(1) == truth).astype(float) for name, log_p in says.items()}
    hot = np.eye(folds.classes)[truth]
    prior = folds.prior()[judged]
    place = np.arange(len(truth)), truth
    accuracy = {name: _balanced(hits, hot, draws) for name, hits in right.items()}
    reached = {
        name: Reached(
            mean_interval((log_p[judged][place] - prior[place]) / np.log(2), draws), _percentiles(accuracy[name])
        )
        for name, log_p in says.items()
    }
    gain = {(a, b): _percentiles(accuracy[a] - accuracy[b]) for a in WAYS for b in says if a != b}
    present = {m: float(frozen.present[m].mean()) for m in names}
    return Estimate(frozen.target, names, folds.classes, len(truth), parts, reached, gain, present, list(frozen.notes))


def _balanced(hits: np.ndarray, hot: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Mean recall of the classes that occur, of the samples and each resample: (1 + R,)."""
    support = draws @ hot
    recall = (draws @ (hits[:, None] * hot)) / np.maximum(support, 1e-12)
    return recall.sum(1) / (support > 0).sum(1)


def _percentiles(values: np.ndarray) -> Interval:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Interval(float(values[0]), float(low), float(high))
