"""What the built-in patients can serve, checked against what the config asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossfade.errors import UserError, did_you_mean
from crossfade.specs import ModalitySpec, TargetSpec

from .tables import MODALITIES
from .vitals import CATEGORICAL, COLUMNS, UNITS

KINDS = {"ct": "image", "mri": "image", "ultrasound": "image", "note": "text", "vitals": "table"}
TARGETS = {"diagnosis": "multiclass", "findings": "multilabel"}


def check_numbers(samples: Any, seed: Any) -> None:
    """`patients` is a whole number ≥ 1 and `seed` one ≥ 0; else UserError."""
    problems = []
    for key, value, low in (("data.source.samples", samples, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            problems.append(f"{key}={value!r} must be a whole number ≥ {low}.")
    if problems:
        raise UserError(*problems)


def check_modalities(modalities: Mapping[str, ModalitySpec], channels: Mapping[str, int]) -> None:
    """Names, kinds and channels are those of the built-in patients; else UserError with all problems."""
    problems = []
    if not modalities:
        problems.append(f"task.modalities is empty; the built-in patients have {', '.join(MODALITIES)}.")
    for name, spec in modalities.items():
        if name not in MODALITIES:
            problems.append(
                f"task.modalities: the built-in patients have no {name!r}.{did_you_mean(name, MODALITIES)} "
                f"Allowed: {', '.join(MODALITIES)}."
            )
            continue
        if spec.kind != KINDS[name]:
            problems.append(f"modality.{name}.kind={spec.kind}: it must be {KINDS[name]}.")
        if name in channels and spec.channels != channels[name]:
            problems.append(f"modality.{name}.channels={spec.channels}: it must be {channels[name]}.")
    if problems:
        raise UserError(*problems)


def check_targets(targets: Mapping[str, TargetSpec]) -> None:
    """Targets are `diagnosis` (multiclass) and `findings` (multilabel); else UserError with all problems."""
    problems = []
    for name, spec in targets.items():
        if name not in TARGETS:
            problems.append(
                f"task.targets: the built-in patients have no target {name!r}.{did_you_mean(name, TARGETS)} "
                f"Allowed: {', '.join(TARGETS)}."
            )
        elif spec.kind != TARGETS[name]:
            problems.append(f"target.{name}.kind={spec.kind}: it must be {TARGETS[name]}.")
    if problems:
        raise UserError(*problems)


def table_columns(spec: ModalitySpec) -> list[str]:
    """The columns of `vitals` in use: those that the spec lists, else all.

    Raises UserError for unknown columns, a category that is not in `categorical` (or a number that is), and a
    unit other than the one the values are in.
    """
    columns = [spec.column] if isinstance(spec.column, str) else list(spec.column or COLUMNS)
    problems = []
    for name in columns:
        if name not in COLUMNS:
            problems.append(
                f"modality.vitals.column: there is no {name!r}.{did_you_mean(name, COLUMNS)} "
                f"Allowed: {', '.join(COLUMNS)}."
            )
        elif (name in CATEGORICAL) != (name in spec.categorical):
            verb = "must list" if name in CATEGORICAL else "must not list"
            problems.append(f"modality.vitals.categorical {verb} {name!r}.")
    units = spec.unit if isinstance(spec.unit, dict) else {}
    for name, unit in units.items():
        if name in UNITS and unit != UNITS[name]:
            problems.append(f"modality.vitals.unit.{name}={unit!r}: the values are in {UNITS[name]!r}.")
    if problems:
        raise UserError(*problems)
    return columns
