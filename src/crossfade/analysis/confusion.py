"""Confusion matrices of groups of samples, and the metrics that are sums over them."""

from __future__ import annotations

import numpy as np

METRICS = ("balanced_accuracy", "recall", "accuracy", "f1")


def confusions(truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, classes: int) -> np.ndarray:
    """One confusion matrix per group: (groups, C, C), rows the truth.

    A prediction of −1 is none of the classes and wrong for every truth; then C is one more than `classes`, the last
    one with no support. Raises ValueError for other numbers outside the classes.
    """
    truth, predicted = np.asarray(truth, np.int64), np.asarray(predicted, np.int64)
    if truth.min() < 0 or truth.max() >= classes or predicted.min() < -1 or predicted.max() >= classes:
        raise ValueError(f"Class numbers run from 0 to {classes - 1} (predictions: from −1)")
    if predicted.min() < 0:
        predicted, classes = np.where(predicted < 0, classes, predicted), classes + 1
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    cell = (group * classes + truth) * classes + predicted
    return np.bincount(cell, minlength=count * classes**2).reshape(count, classes, classes).astype(np.float64)


def metric_of(confusion: np.ndarray, metric: str) -> np.ndarray:
    """Metric of confusion matrices (…, C, C) → (…); the macro ones average the classes that occur.

    Balanced accuracy and (macro) recall are the same number. Raises ValueError for another metric.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    support = confusion.sum(-1)
    if metric == "accuracy":
        return hits.sum(-1) / support.sum(-1)
    if metric in ("balanced_accuracy", "recall"):
        value, counted = hits / np.maximum(support, 1e-12), support > 0
    elif metric == "f1":
        both = support + confusion.sum(-2)
        value, counted = 2 * hits / np.maximum(both, 1e-12), both > 0
    else:
        raise ValueError(f"{metric} is no metric of a confusion matrix; those are {', '.join(METRICS)}")
    return (value * counted).sum(-1) / counted.sum(-1)
