"""Precision, recall, F1 and support, per class and averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Report(NamedTuple):
    text: str
    values: dict[str, dict[str, float]]  # class (or "macro average") → precision, recall, f1, support


def classification_report(truth: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> Report:
    """Labels (N,) and (N,) → the report; a class that nobody predicted has precision 0."""
    values: dict[str, dict[str, float]] = {}
    for label in classes:
        hit = float(((truth == label) & (predicted == label)).sum())
        support, said = float((truth == label).sum()), float((predicted == label).sum())
        values[label] = {
            "precision": hit / said if said else 0.0,
            "recall": hit / support if support else 0.0,
            "f1": 2 * hit / (said + support) if said + support else 0.0,
            "support": support,
        }
    rows = list(values.values())
    values["macro average"] = {k: sum(r[k] for r in rows) / len(rows) for k in ("precision", "recall", "f1")}
    values["macro average"]["support"] = float(len(truth))
    wide = max(len(label) for label in values)
    lines = [f"{'':<{wide}}  precision  recall      f1  support"]
    lines += [
        f"{label:<{wide}}  {r['precision']:9.3f}  {r['recall']:6.3f}  {r['f1']:6.3f}  {r['support']:7.0f}"
        for label, r in values.items()
    ]
    return Report("\n".join(lines) + "\n", values)
