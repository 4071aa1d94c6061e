"""α: from what a user writes to a point on the simplex over the run's modalities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from crossfade.errors import UserError, did_you_mean
from crossfade.registry import groups, read_option

DIGITS = 12  # keeps 1 − 0.9 at 0.1


def strategies_with_alpha() -> list[str]:
    """The fusion strategies whose YAML has a field alpha."""
    return [option for option in groups()["fusion"] if "alpha" in read_option("fusion", option)]


def simplex_point(alpha: Any, modalities: Sequence[str], key: str = "alpha") -> dict[str, float] | str | None:
    """None (even), "learned", or a weight per modality, aₘ ≥ 0 and Σ aₘ = 1.

    A number a weighs the first modality and shares the rest evenly: a₁ = a, aₘ = (1 − a)/(M − 1). A mapping weighs
    each; a modality left out has weight 0. Raises UserError naming `key` for anything else.
    """
    first = modalities[0]
    others = modalities[1:]
    allowed = (
        f"Give a number in [0, 1] (the weight of {first}, the first modality), weights that sum to 1 "
        f"({key}='{{{', '.join(f'{m}: {1 / len(modalities):.3g}' for m in modalities)}}}'), or {key}=learned."
    )
    if alpha is None or alpha == "learned":
        return alpha
    if isinstance(alpha, str):
        raise UserError(f"{key}={alpha}: not a weight.{did_you_mean(alpha, ['learned'])} {allowed}")
    if isinstance(alpha, Mapping):
        return _from_mapping(alpha, modalities, key, allowed)
    if not _is_number(alpha):
        raise UserError(f"{key}={alpha}: not a weight. {allowed}")
    if not 0 <= alpha <= 1:
        raise UserError(f"{key}={alpha}: outside the simplex. {allowed}")
    if not others:
        return {first: 1.0}
    rest = round((1 - alpha) / len(others), DIGITS)
    return {first: float(alpha), **dict.fromkeys(others, rest)}


def _from_mapping(alpha: Mapping[Any, Any], modalities: Sequence[str], key: str, allowed: str) -> dict[str, float]:
    problems = []
    for name, weight in alpha.items():
        if name not in modalities:
            problems.append(
                f"{key}.{name}: this run has no modality {name}, it has {', '.join(modalities)}."
                f"{did_you_mean(name, modalities)}"
            )
        if not _is_number(weight) or not 0 <= weight <= 1:
            problems.append(f"{key}.{name}={weight}: outside the simplex. A weight is a number in [0, 1].")
    if problems:
        raise UserError(*problems)
    total = math.fsum(alpha.values())
    if abs(total - 1) > 1e-6:
        raise UserError(f"{key}={dict(alpha)}: outside the simplex, the weights sum to {total:g}. {allowed}")
    return {m: round(alpha.get(m, 0) / total, DIGITS) for m in modalities}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
