"""Targets: head + loss + metrics + how a prediction is written, one kind a file, found by conf/target/<kind>.yaml."""

from __future__ import annotations

from typing import Any

from crossfade.allowed import find_class
from crossfade.specs import TargetSpec
from crossfade.targets.base import Target


def target_class(spec: TargetSpec) -> type[Target]:
    """The class of this kind of target."""
    found = find_class(spec.target_)
    assert issubclass(found, Target)
    return found


def make_target(spec: TargetSpec, fitted: dict[str, Any], width: int) -> Target:
    """The target of this kind; `fitted` is what `fit` learned from the training split's truth."""
    return find_class(spec.target_)(spec, fitted, width, **spec.own)
