"""The sentence under the table: better, worse, or not distinguishable."""

from __future__ import annotations

import numpy as np

from crossfade.analysis.confusion import confusions, metric_of
from crossfade.analysis.intervals import Difference, paired_difference

LEVEL = 0.95
FEW = 30  # test groups under which an interval by bootstrap is too short to be trusted


def verdict(
    label: str,
    best_label: str,
    metric: str,
    truth: np.ndarray,
    predicted: np.ndarray,
    predicted_best: np.ndarray,
    groups: np.ndarray,
    classes: int,
) -> str:
    """Compare a model with the best single modality on the same test samples, in one sentence."""
    difference = paired_difference(truth, predicted, predicted_best, groups, classes, metric, LEVEL)
    value, best = (
        float(metric_of(confusions(truth, p, groups, classes).sum(0), metric)) for p in (predicted, predicted_best)
    )
    count = len(np.unique(groups))
    sentence = _sentence(label, best_label, metric.replace("_", " "), value, best, difference, len(truth))
    if count < FEW:
        sentence += f" Only {count} test groups: take the interval with caution."
    return sentence


def _sentence(label: str, best_label: str, metric: str, value: float, best: float, d: Difference, samples: int) -> str:
    numbers = f"Δ = {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}], {_p(d.p)}, {samples} test samples"
    if d.p >= 1 - LEVEL or d.low <= 0 <= d.high:  # the test and the interval must agree on a difference
        return (
            f"{label} ({metric} {value:.3f}) is not distinguishable from the best single modality, "
            f"{best_label} ({best:.3f}): {numbers}."
        )
    word = "beats" if d.value > 0 else "is worse than"
    return f"{label} ({metric} {value:.3f}) {word} the best single modality, {best_label} ({best:.3f}): {numbers}."


def _p(p: float) -> str:
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".")
