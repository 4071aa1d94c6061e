"""The truth of a target as classes, which is what information is counted of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor

from crossfade.data.absence.scores import standardised
from crossfade.errors import UserError
from crossfade.specs import TargetSpec

BINS = 4  # of a number
SETS = 3  # of labels that are told apart


def _class(truth: Tensor) -> np.ndarray:
    return truth.numpy()


def _first(truth: Tensor) -> np.ndarray:
    first = truth[:, 0].double().nan_to_num(-1.0)
    return first.numpy().astype(np.int64)


def _set(truth: Tensor) -> np.ndarray:
    """The set of labels; those beyond the commonest `SETS` are one class."""
    known = ~truth.isnan().any(1).numpy()
    out = np.full(len(truth), -1)
    _, number, count = np.unique(truth.numpy()[known], axis=0, return_inverse=True, return_counts=True)
    rank = np.empty(len(count), dtype=np.int64)
    rank[np.argsort(-count, kind="stable")] = np.arange(len(count))
    out[known] = np.minimum(rank[number.ravel()], SETS)
    return out


def _quarter(truth: Tensor) -> np.ndarray:
    """Between which quartiles the mean of its standardised numbers lies."""
    flat = truth.double().flatten(1).numpy()
    each = np.stack([standardised(column) for column in flat.T], 1)
    some = ~np.isnan(each).all(1)
    out = np.full(len(flat), -1)
    score = np.nanmean(each[some], 1)
    out[some] = np.searchsorted(np.quantile(score, np.arange(1, BINS) / BINS), score, side="right")
    return out


SERVED: Mapping[str, tuple[Callable[[Tensor], np.ndarray], str]] = {
    "multiclass": (_class, "its classes"),
    "multilabel": (_set, f"its sets of labels, those after the commonest {SETS} as one"),
    "regression": (_quarter, "the quarters of its values"),
    "forecast": (_quarter, "the quarters of its mean over the time forecast"),
    "slots": (_first, "its intents"),
    "alarm": (_first, "alarm or none"),
}


def served(targets: Mapping[str, TargetSpec]) -> str:
    """The first of the run's targets whose kind has classes. Raises UserError where none has."""
    found = [name for name, spec in targets.items() if spec.kind in SERVED]
    if not found:
        given = ", ".join(f"{name} ({spec.kind})" for name, spec in targets.items())
        raise UserError(
            f"task.targets: information is counted of classes, which {given} does not have. Served are the kinds "
            f"{', '.join(SERVED)}; numbers are cut at their quartiles. Choose another target: task.targets=[…]"
        )
    return found[0]


def labels_of(spec: TargetSpec, truth: Tensor) -> tuple[np.ndarray, str]:
    """Class numbers (N,) of an encoded truth (N, …), −1 where it is unknown, and what the classes are, in words."""
    of, words = SERVED[spec.kind]
    raw = of(truth)
    known = raw >= 0
    out = np.full(len(raw), -1)
    out[known] = np.unique(raw[known], return_inverse=True)[1]
    return out, words
