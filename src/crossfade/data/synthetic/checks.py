"""What a built-in source can serve, checked against what the config asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossfade.errors import UserError, did_you_mean
from crossfade.specs import ModalitySpec, TargetSpec


def check_whole(values: Mapping[str, tuple[Any, int]]) -> None:
    """Every key's value is a whole number ≥ its lowest: key → (value, lowest); else UserError with all problems."""
    problems = [
        f"{key}={value!r} must be a whole number ≥ {low}."
        for key, (value, low) in values.items()
        if isinstance(value, bool) or not isinstance(value, int) or value < low
    ]
    if problems:
        raise UserError(*problems)


def check_modalities(
    modalities: Mapping[str, ModalitySpec], kinds: Mapping[str, str], channels: Mapping[str, int], whose: str
) -> None:
    """Names, kinds and channels are those that the source renders; else UserError with all problems.

    `kinds` name → kind, `channels` name → number where that is fixed, `whose` the source in words.
    """
    problems = []
    if not modalities:
        problems.append(f"task.modalities is empty; {whose} have {', '.join(kinds)}.")
    for name, spec in modalities.items():
        if name not in kinds:
            problems.append(
                f"task.modalities: {whose} have no {name!r}.{did_you_mean(name, kinds)} Allowed: {', '.join(kinds)}."
            )
            continue
        if spec.kind != kinds[name]:
            problems.append(f"modality.{name}.kind={spec.kind}: it must be {kinds[name]}.")
        if name in channels and spec.channels != channels[name]:
            problems.append(f"modality.{name}.channels={spec.channels}: it must be {channels[name]}.")
    if problems:
        raise UserError(*problems)


def check_targets(targets: Mapping[str, TargetSpec], kinds: Mapping[str, str], whose: str) -> None:
    """Targets' names and kinds are those that the source knows the truth of; else UserError with all problems."""
    problems = []
    for name, spec in targets.items():
        if name not in kinds:
            problems.append(
                f"task.targets: {whose} have no target {name!r}.{did_you_mean(name, kinds)} "
                f"Allowed: {', '.join(kinds)}."
            )
        elif spec.kind != kinds[name]:
            problems.append(f"target.{name}.kind={spec.kind}: it must be {kinds[name]}.")
    if problems:
        raise UserError(*problems)
