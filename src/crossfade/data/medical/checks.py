"""What the built-in patients can serve, and their table's columns, checked against what the config asks for."""

from __future__ import annotations

from collections.abc import Mapping

from crossfade.errors import UserError, did_you_mean
from crossfade.specs import ModalitySpec, TargetSpec

from .anatomy import FIELD_MM
from .planes import CLASSES, SOURCES
from .vitals import CATEGORICAL, COLUMNS, UNITS

KINDS = {"ct": "image", "mri": "image", "ultrasound": "image", "note": "text", "vitals": "table"}
CHANNELS = {"ct": 1, "mri": 2, "ultrasound": 1}  # of the images
TARGETS = {
    "diagnosis": "multiclass",
    "findings": "multilabel",
    "image_fusion": "image_fusion",
    "guidance": "segmentation",
}


def check_dense(targets: Mapping[str, TargetSpec], modalities: Mapping[str, ModalitySpec]) -> None:
    """What the dense targets say of their images is so; else UserError with all problems."""
    problems = []
    if "guidance" in targets:
        problems += _guidance_problems(targets["guidance"])
    if "image_fusion" in targets:
        problems += _fusion_problems(targets["image_fusion"], modalities)
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
