"""A generator's knobs, one value per modality, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from crossfade.errors import UserError, did_you_mean

# knob → (value where none is given, lowest, highest, is the highest allowed, as words)
LIMITS: dict[str, tuple[float, float, float, bool, str]] = {
    "informativeness": (1.0, 0.0, 1.0, True, "a number in [0, 1]"),
    "noise": (1.0, 0.0, math.inf, False, "a number ≥ 0"),
    "missing": (0.0, 0.0, 1.0, False, "a rate in [0, 1)"),
}


def per_modality(knob: str, given: Any, modalities: Sequence[str], whose: str) -> dict[str, float]:
    """A number for all modalities, or a mapping for some of them, as a mapping for all; the rest keep the default.

    `whose` names the source in messages ("the built-in patients"). Raises UserError with all problems: unknown
    modalities, values that are no number or out of range.
    """
    default, low, high, closed, words = LIMITS[knob]
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        given = dict.fromkeys(modalities, given)
        where = f"data.source.{knob}"
    else:
        where = ""
    problems = []
    for name, value in given.items():
        key = where or f"data.source.{knob}.{name}"
        if name not in modalities:
            problems.append(
                f"{key}: no modality of {whose} is called {name!r}."
                f"{did_you_mean(str(name), modalities)} Allowed: {', '.join(modalities)}."
            )
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and low <= value and (value < high or (closed and value == high))):
            problems.append(f"{key}={value!r} must be {words}.")
    if problems:
        raise UserError(*dict.fromkeys(problems))
    return {name: float(given.get(name, default)) for name in modalities}
