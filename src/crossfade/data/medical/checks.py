"""What the built-in patients can serve, checked against what the config asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossfade.errors import UserError, did_you_mean
from crossfade.specs import ModalitySpec, TargetSpec

from .anatomy import FIELD_MM
from .planes import CLASSES, SOURCES
from .tables import MODALITIES
from .vitals import CATEGORICAL, COLUMNS, UNITS

KINDS = {"ct": "image", "mri": "image", "ultrasound": "image", "note": "text", "vitals": "table"}
TARGETS = {
    "diagnosis": "multiclass",
    "findings": "multilabel",
    "image_fusion": "image_fusion",
    "guidance": "segmentation",
}


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


def check_targets(targets: Mapping[str, TargetSpec], modalities: Mapping[str, ModalitySpec]) -> None:
    """Names and kinds are those of `TARGETS`, and what the dense ones say is so; else UserError with all problems."""
    problems = []
    for name, spec in targets.items():
        if name not in TARGETS:
            problems.append(
                f"task.targets: the built-in patients have no target {name!r}.{did_you_mean(name, TARGETS)} "
                f"Allowed: {', '.join(TARGETS)}."
            )
        elif spec.kind != TARGETS[name]:
            problems.append(f"target.{name}.kind={spec.kind}: it must be {TARGETS[name]}.")
        elif name == "guidance":
            problems += _guidance_problems(spec)
        elif name == "image_fusion":
            problems += _fusion_problems(spec, modalities)
    if problems:
        raise UserError(*problems)


def _guidance_problems(spec: TargetSpec) -> list[str]:
    problems = []
    if tuple(spec.classes or ()) != CLASSES:
        problems.append(f"target.guidance.classes={spec.classes}: the masks hold {list(CLASSES)}.")
    size, spacing = spec.own["size"], spec.own["spacing"]
    if abs(spacing * size - FIELD_MM) > 0.01 * FIELD_MM:
        problems.append(
            f"target.guidance.spacing={spacing}: the field is {FIELD_MM:g} mm wide, so with "
            f"target.guidance.size={size} it must be {FIELD_MM / size:.4g} mm per pixel."
        )
    return problems


def _fusion_problems(spec: TargetSpec, modalities: Mapping[str, ModalitySpec]) -> list[str]:
    problems = []
    if tuple(spec.own["sources"] or ()) != SOURCES:
        problems.append(f"target.image_fusion.sources={spec.own['sources']}: they must be {list(SOURCES)}.")
    for name in SOURCES:
        if name in modalities and modalities[name].size != spec.own["size"]:
            problems.append(
                f"target.image_fusion.size={spec.own['size']}: must be modality.{name}.size={modalities[name].size}, "
                "since the fused image is compared with it pixel by pixel."
            )
    return problems


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
