"""What the built-in patients can serve, and their table's columns, checked against what the config asks for."""

from __future__ import annotations

from crossfade.errors import UserError, did_you_mean
from crossfade.specs import ModalitySpec

from .vitals import CATEGORICAL, COLUMNS, UNITS

KINDS = {"ct": "image", "mri": "image", "ultrasound": "image", "note": "text", "vitals": "table"}
CHANNELS = {"ct": 1, "mri": 2, "ultrasound": 1}  # of the images
TARGETS = {"diagnosis": "multiclass", "findings": "multilabel"}


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
