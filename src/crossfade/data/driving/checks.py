"""What the built-in drives can serve, checked against what the config asks for, beyond names and kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

from .names import CLASSES, FRAMES, INTENTIONS, STEP, UNITS

EXTENT = (0.0, 40.0, -20.0, 20.0)  # m: what is looked at where a spec does not say
ALLOWED = {"perception": CLASSES, "presence": CLASSES, "intention": INTENTIONS}


def check_frames(frames: Any) -> None:
    """`frames` is a whole number, 1 … FRAMES; else UserError."""
    if isinstance(frames, bool) or not isinstance(frames, int) or not 1 <= frames <= FRAMES:
        raise UserError(f"data.source.frames={frames!r} must be a whole number from 1 to {FRAMES}.")


def check_shares(**shares: Any) -> dict[str, float]:
    """Every share is a number in [0, 1]; else UserError with all problems."""
    problems = [
        f"data.source.{name}={value!r} must be a number in [0, 1]."
        for name, value in shares.items()
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1
    ]
    if problems:
        raise UserError(*problems)
    return {name: float(value) for name, value in shares.items()}


def check_specs(modalities: Mapping[str, ModalitySpec]) -> None:
    """Units and rate are those that the values come in; else UserError with all problems."""
    problems = []
    for name, spec in modalities.items():
        if spec.unit is not None and spec.unit != UNITS[name]:
            problems.append(f"modality.{name}.unit={spec.unit!r}: the values are in {UNITS[name]!r}.")
        if name == "ego" and spec.rate not in (None, 1 / STEP):
            problems.append(f"modality.ego.rate={spec.rate}: it must be {1 / STEP:g} Hz.")
    if problems:
        raise UserError(*problems)


def classes_of(spec: TargetSpec) -> list[str]:
    """The target's classes: those that its spec lists, in that order, else all. Raises UserError for others."""
    allowed = ALLOWED.get(spec.name, ())
    unknown = [c for c in spec.classes or () if c not in allowed]
    lacking = [c for c in allowed if spec.classes is not None and c not in spec.classes]
    if unknown or lacking:
        raise UserError(f"target.{spec.name}.classes={spec.classes}: they must be {', '.join(allowed)}, in any order.")
    return list(spec.classes or allowed)


def extent_of(spec: ModalitySpec | TargetSpec) -> tuple[float, float, float, float]:
    """x_min, x_max, y_min, y_max (m) that a modality or target looks at."""
    extent = spec.extent if isinstance(spec, ModalitySpec) else spec.own.get("extent")
    a, b, c, d = extent or EXTENT
    return float(a), float(b), float(c), float(d)
