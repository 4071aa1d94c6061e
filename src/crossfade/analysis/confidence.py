"""How far a classifier's probabilities can be trusted: temperature, proper scores, conformal sets, selective risk.

Probabilities are (N, C), labels (N,) whole numbers below C. What is learned is learned on the validation split.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import binomtest

from crossfade.analysis.intervals import bootstrap_means

BINS = 15
RANGE = (0.05, 20.0)  # of temperatures


class Sets(NamedTuple):
    """Conformal sets on a test split: share that hold the truth with its 95 % interval, mean size, share of one."""

    coverage: float
    low: float
    high: float
    size: float
    certain: float


def fitted_temperature(probability: np.ndarray, label: np.ndarray) -> float:
    """T > 0 that minimises the negative log-likelihood of softmax(log p / T) (Guo et al. 2017, eq. 9;
    arXiv:1706.04599).

    1 where there is no sample.
    """
    if not len(label):
        return 1.0
    logit = np.log(np.clip(probability, 1e-12, None))

    def loss(log_t: float) -> float:
        return float(-log_softmax(logit / np.exp(log_t), axis=1)[np.arange(len(label)), label].mean())

    return float(np.exp(minimize_scalar(loss, bounds=np.log(RANGE), method="bounded").x))


def tempered(probability: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(log p / T), (N, C)."""
    found: np.ndarray = softmax(np.log(np.clip(probability, 1e-12, None)) / temperature, axis=1)
    return found


def calibration_error(probability: np.ndarray, label: np.ndarray, bins: int = BINS) -> float:
    """Σ_b n_b/N·|accuracy_b − confidence_b| over equal bins of confidence (Guo et al. 2017, eq. 3)."""
    found = calibration_bins(probability, label, bins)
    return float((found["samples"] * (found["accuracy"] - found["confidence"]).abs()).sum() / len(label))


def calibration_bins(probability: np.ndarray, label: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """Per bin (b/bins, (b+1)/bins] of confidence that holds samples: bin, samples, mean confidence, accuracy."""
    confidence, hit = probability.max(1), probability.argmax(1) == label
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = {"confidence": np.bincount(place, confidence, bins), "accuracy": np.bincount(place, hit, bins)}
    held = np.flatnonzero(count)
    return pd.DataFrame(
        {"bin": held, "samples": count[held], **{name: total[held] / count[held] for name, total in sums.items()}}
    )


def brier(probability: np.ndarray, label: np.ndarray) -> float:
    """Mean over the samples of Σ_c (p_c − [c = y])² (Brier 1950, Monthly Weather Review 78(1), eq. 2)."""
    wanted = np.eye(probability.shape[1])[label]
    return float(((probability - wanted) ** 2).sum(1).mean())


def log_loss(probability: np.ndarray, label: np.ndarray) -> float:
    """−mean log p_y, in nats."""
    return float(-np.log(np.clip(probability[np.arange(len(label)), label], 1e-12, None)).mean())


def conformal_threshold(probability: np.ndarray, label: np.ndarray, alpha: float) -> float:
    """Least p that a class must have to stand in a set, from a calibration split of n samples.

    The k-th largest of their p_y, k = ⌈(n + 1)(1 − α)⌉ (Sadinle et al. 2019, arXiv:1609.00451, section 2): a new
    sample of the same distribution then has its truth in its set with probability at least 1 − α. 0, so that all
    classes stand in it, where n is too small for that.
    """
    of_truth = np.sort(probability[np.arange(len(label)), label])[::-1]
    k = int(np.ceil((len(label) + 1) * (1 - alpha)))
    return float(of_truth[k - 1]) if k <= len(label) else 0.0


def conformal_sets(probability: np.ndarray, label: np.ndarray, threshold: float, groups: np.ndarray) -> Sets:
    """What the sets {c: p_c ≥ threshold} of a test split are worth.

    The interval is the exact one of a share where each sample is a group, else by bootstrap over groups; of sets that
    all hold the truth the exact one of so many groups.
    """
    inside = probability >= threshold
    holds = inside[np.arange(len(label)), label]
    count = len(np.unique(groups))
    if count == len(label) or holds.all():
        right = int(holds.sum()) if count == len(label) else count
        exact = binomtest(right, count).proportion_ci(0.95, "exact")
        low, high = exact.low, exact.high
    else:
        _, low, high = bootstrap_means(holds[None].astype(float), groups)[0]
    size = inside.sum(1)
    return Sets(float(holds.mean()), low, high, float(size.mean()), float((size == 1).mean()))


def selective_risk(probability: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coverage i/N and error among the i samples predicted with most confidence, (N,) each.

    The mean of the errors is the AURC (Geifman & El-Yaniv 2017, arXiv:1705.08500, section 2). Samples of equal
    confidence share their mean error.
    """
    confidence, wrong = probability.max(1), (probability.argmax(1) != label).astype(float)
    _, group = np.unique(-confidence, return_inverse=True)
    mean = np.bincount(group, wrong) / np.bincount(group)
    shared = mean[np.sort(group)]
    count = np.arange(1, len(label) + 1)
    return count / len(label), shared.cumsum() / count
