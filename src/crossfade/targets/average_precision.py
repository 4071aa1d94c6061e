"""Average precision by centre distance, as nuScenes defines it, for all samples at once.

Caesar et al. 2020, arXiv:1903.11027, section 3.1: a prediction matches the nearest box of its class whose centre on the
ground is closer than d, d in {0.5, 1, 2, 4} m, and that no prediction of a higher score has taken. AP is the area under
the precision-recall curve where both exceed 10 %, normalised.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

DISTANCES = (0.5, 1.0, 2.0, 4.0)  # m
LEAST = 0.1  # recall and precision below do not count
RECALLS = np.linspace(0, 1, 101)
ERRORS_AT = DISTANCES.index(2.0)  # errors of position and velocity are those of the matches within 2 m


class Matches(NamedTuple):
    """P predicted boxes of N samples; `present` counts the true boxes of each sample and class.

    sample, label int (P,), score (P,), hit bool (P, 4) by distance; position (m) and velocity (m/s) errors (P,) of the
    boxes that hit within 2 m, else NaN; present (N, C).
    """

    sample: np.ndarray
    label: np.ndarray
    score: np.ndarray
    hit: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    present: np.ndarray


def match(prediction: np.ndarray, truth: np.ndarray, classes: int) -> Matches:
    """Predictions (N, K, 9: score, class, x, y, …, vx, vy) matched with boxes (N, n, 8: class, x, y, …), NaN = none.

    Greedy by score within each sample; samples, and thus the loop over K, do not see each other. What has a score of 0
    fills up the number K and is no prediction: its label is −1.
    """
    order = np.argsort(-prediction[..., 0], axis=1, kind="stable")
    prediction = np.take_along_axis(prediction, order[..., None], 1)
    samples, boxes = prediction.shape[:2]
    away = np.linalg.norm(prediction[:, :, None, 2:4] - truth[:, None, :, 1:3], axis=-1)
    label = np.where(prediction[..., 0] > 0, prediction[..., 1], -1).astype(int)
    same = label[:, :, None] == truth[:, None, :, 0]
    away = np.where(same, away, np.inf).astype(np.float64)
    taken = np.zeros((samples, len(DISTANCES), truth.shape[1]), dtype=bool)
    hit = np.zeros((samples, boxes, len(DISTANCES)), dtype=bool)
    errors = np.full((samples, boxes, 2), np.nan)
    rows, columns = np.arange(samples)[:, None], np.arange(len(DISTANCES))
    for k in range(boxes if truth.shape[1] else 0):
        free = np.where(taken, np.inf, away[:, k, None])
        nearest = free.argmin(-1)
        hit[:, k] = np.take_along_axis(free, nearest[..., None], -1)[..., 0] < DISTANCES
        taken[rows, columns, nearest] |= hit[:, k]
        found = np.flatnonzero(hit[:, k, ERRORS_AT])
        true = truth[found, nearest[found, ERRORS_AT]]
        errors[found, k, 0] = away[found, k, nearest[found, ERRORS_AT]]
        errors[found, k, 1] = np.linalg.norm(prediction[found, k, 7:9] - true[:, 6:8], axis=-1)
    present = np.stack([(truth[..., 0] == c).sum(1) for c in range(classes)], 1)
    sample = np.repeat(np.arange(samples), boxes)
    position, velocity = errors.reshape(-1, 2).T
    hits = hit.reshape(-1, len(DISTANCES))
    return Matches(sample, label.ravel(), prediction[..., 0].ravel(), hits, position, velocity, present)


class Curves:
    """Precision against recall of every class and distance, for samples that count `weight` times.

    What does not depend on the weights is done once, so that an interval can ask for a thousand of them.
    """

    def __init__(self, matches: Matches) -> None:
        self.present = matches.present
        self.parts = []
        for c in range(matches.present.shape[1]):
            of = np.flatnonzero(matches.label == c)
            of = of[np.argsort(-matches.score[of], kind="stable")]
            self.parts.append((matches.sample[of], matches.hit[of], matches.position[of], matches.velocity[of]))

    def average_precision(self, weight: np.ndarray) -> np.ndarray:
        """AP (C, 4) by class and distance; NaN for a class that has no true box."""
        positives = weight @ self.present
        found = np.full((len(self.parts), len(DISTANCES)), np.nan)
        for c, (sample, hit, *_) in enumerate(self.parts):
            if not positives[c]:
                continue
            if not len(sample):
                found[c] = 0.0
                continue
            counts = weight[sample]
            true = np.cumsum(counts[:, None] * hit, 0)
            every = np.maximum(np.cumsum(counts), 1e-9)
            for d in range(len(DISTANCES)):
                precision = np.interp(RECALLS, true[:, d] / positives[c], true[:, d] / every, right=0)
                found[c, d] = _area(precision)
        return found

    def mean(self, weight: np.ndarray) -> float:
        """AP averaged over the classes that occur and the distances."""
        each = self.average_precision(weight)
        return float(np.nanmean(each)) if np.isfinite(each).any() else float("nan")

    def errors(self) -> np.ndarray:
        """Mean error of position (m) and velocity (m/s) by class (C, 2), as nuScenes takes it: over recalls above 10 %.

        At each recall reached, the mean over the matches with at least that score; NaN where recall stays below.
        """
        found = np.full((len(self.parts), 2), np.nan)
        positives = self.present.sum(0)
        for c, (_, hit, *errors) in enumerate(self.parts):
            hits = np.flatnonzero(hit[:, ERRORS_AT])
            recall = np.arange(1, len(hits) + 1) / max(positives[c], 1)
            levels = RECALLS[RECALLS > LEAST + 1e-9]
            for e, error in enumerate(errors):
                known = ~np.isnan(error[hits])
                if not known.any() or recall[-1] < levels[0]:
                    continue
                running = np.nancumsum(error[hits]) / np.maximum(np.cumsum(known), 1)
                found[c, e] = np.interp(levels[levels <= recall[-1] + 1e-9], recall[known], running[known]).mean()
        return found


def _area(precision: np.ndarray) -> float:
    """(Σ max(precision − 10 %, 0) over the recalls above 10 %) / their number / 90 %."""
    above = precision[round(100 * LEAST) + 1 :] - LEAST
    return float(np.maximum(above, 0).mean() / (1 - LEAST))


class DetectionScore(Metric):
    """What is computed of all samples' boxes together: gathers prediction (N, K, 9) and truth (N, 1 + n, 8)."""

    full_state_update = False
    prediction: list[Tensor]
    truth: list[Tensor]

    def __init__(self, classes: list[str]) -> None:
        super().__init__()
        self.classes = classes
        self.add_state("prediction", default=[], dist_reduce_fx="cat")
        self.add_state("truth", default=[], dist_reduce_fx="cat")

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        self.prediction.append(prediction)
        self.truth.append(truth)

    def matches(self) -> Matches:
        """All samples' boxes matched."""
        prediction, truth = dim_zero_cat(self.prediction).numpy(), dim_zero_cat(self.truth).numpy()
        return match(prediction, truth[:, 1:], len(self.classes))


class MeanAveragePrecision(DetectionScore):
    """AP averaged over classes and distances."""

    def compute(self) -> Tensor:
        if not self.prediction:
            return torch.tensor(float("nan"))
        matches = self.matches()
        return torch.tensor(Curves(matches).mean(np.ones(len(matches.present))))


class DetectionDetails(DetectionScore):
    """AP of each class, errors of position and velocity, and how well the best score of a class tells its presence."""

    def compute(self) -> dict[str, Tensor]:
        matches = self.matches()
        curves = Curves(matches)
        each = curves.average_precision(np.ones(len(matches.present)))
        position, velocity = (_mean(column) for column in curves.errors().T)
        values = {f"ap_{name}": float(row.mean()) for name, row in zip(self.classes, each, strict=True)}
        values |= {"position_error": position, "velocity_error": velocity}
        values |= {"presence_auroc": _presence(matches)}
        return {name: torch.tensor(value) for name, value in values.items()}


def _mean(values: np.ndarray) -> float:
    """Of those that are defined; NaN where none is."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _presence(matches: Matches) -> float:
    """Area under the ROC curve of "this class is there" by its highest score, averaged over the classes."""
    from scipy.stats import rankdata

    areas = []
    for c in range(matches.present.shape[1]):
        best = np.zeros(len(matches.present))
        np.maximum.at(best, matches.sample[matches.label == c], matches.score[matches.label == c])
        there = matches.present[:, c] > 0
        pairs = there.sum() * (~there).sum()
        if pairs:
            areas.append((rankdata(best)[there].sum() - there.sum() * (there.sum() + 1) / 2) / pairs)
    return float(np.mean(areas)) if areas else float("nan")
