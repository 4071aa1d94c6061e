"""Targets: head + loss + metrics + how a prediction is written, one kind a file."""

from __future__ import annotations

from typing import Any

from crossfade.specs import TargetSpec
from crossfade.targets.base import Target
from crossfade.targets.multiclass import MultiClass
from crossfade.targets.multilabel import MultiLabel
from crossfade.targets.regression import Regression

KINDS: dict[str, type[MultiClass] | type[MultiLabel] | type[Regression]] = {
    "multiclass": MultiClass,
    "multilabel": MultiLabel,
    "regression": Regression,
}


def make_target(spec: TargetSpec, fitted: dict[str, Any], width: int) -> Target:
    """The target of this kind; `fitted` is what `fit` learned from the training split's truth."""
    return KINDS[spec.kind](spec, fitted, width)
