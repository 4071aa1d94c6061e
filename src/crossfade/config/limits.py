"""What a field may hold, by its name: one vocabulary for all parts, so that `dropout` means one thing everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Limit(NamedTuple):
    """What is allowed, in words and as a test; `choices` where it is one of some words."""

    text: str
    holds: Callable[[Any], bool]
    choices: tuple[str, ...] = ()


def choice(*words: str) -> Limit:
    return Limit(" or ".join([", ".join(words[:-1]), words[-1]]), lambda value: value in words, words)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def at_least(low: float) -> Limit:
    return Limit(f"at least {low:g}", lambda value: _number(value) and value >= low)


def _are_quantiles(value: Any) -> bool:
    if not isinstance(value, list) or len(value) < 3 or not all(map(_number, value)):
        return False
    return value == sorted(set(value)) and 0.5 in value and value[0] > 0 and value[-1] < 1


def _are_weights(value: Any) -> bool:
    listed = isinstance(value, list) and len(value) > 1 and all(map(_number, value))
    return listed and len(set(value)) == len(value) and all(0 <= one <= 1 for one in value)


OBJECTIVES = ("metric", "latency", "parameters", "flops")


def _are_objectives(value: Any) -> bool:
    listed = isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)
    return listed and len(set(value)) == len(value) and set(value) <= set(OBJECTIVES)


ABOVE_ZERO = Limit("above 0", lambda value: _number(value) and value > 0)
SHARE = Limit("in [0, 1]", lambda value: _number(value) and 0 <= value <= 1)
RATE_OF_LOSS = Limit("in [0, 1)", lambda value: _number(value) and 0 <= value < 1)
BETWEEN = Limit("between 0 and 1", lambda value: _number(value) and 0 < value < 1)

LIMITS: dict[str, Limit] = {
    # parts of the model
    "dropout": RATE_OF_LOSS,
    "depth": at_least(0),
    "layers": at_least(0),
    "heads": at_least(1),
    "hidden": at_least(1),
    "rank": at_least(1),
    "ridge": ABOVE_ZERO,
    "experts": at_least(1),
    "top": at_least(1),
    "latents": at_least(1),
    "reduction": at_least(1),
    "sampling": SHARE,
    "memory_gb": ABOVE_ZERO,
    "mlp_ratio": ABOVE_ZERO,
    "norm": choice("pre", "post"),
    "activation": choice("gelu", "swiglu"),
    "position": choice("learned", "sinusoidal", "rotary", "none"),
    "pool": choice("mean", "none"),
    "patch": at_least(1),
    "cells": at_least(1),
    "fine": at_least(1),
    "stride": at_least(1),
    "frames": at_least(1),
    "mels": at_least(1),
    "window_ms": ABOVE_ZERO,
    "hop_ms": ABOVE_ZERO,
    "level": choice("fixed", "own"),
    "shift": SHARE,
    "mask": SHARE,
    "vocabulary": at_least(100),
    # targets
    "label_smoothing": RATE_OF_LOSS,
    "class_weights": choice("none", "balanced"),
    "grid": at_least(1),
    "size": at_least(1),
    "spacing": ABOVE_ZERO,
    "margin": at_least(0),
    "structure": at_least(0),
    "edges": at_least(0),
    "intensity": at_least(0),
    "texture": at_least(0),
    "upsample": at_least(1),
    "boxes": at_least(1),
    "sigma": ABOVE_ZERO,
    "box_weight": at_least(0),
    "modes": at_least(1),
    "mode_weight": at_least(0),
    "steps": at_least(1),
    "degree": at_least(1),
    "rate": ABOVE_ZERO,
    "road": at_least(1),
    "ego_length": ABOVE_ZERO,
    "ego_width": ABOVE_ZERO,
    "overhang": at_least(0),
    "detection": SHARE,
    "period_s": ABOVE_ZERO,
    "hours": at_least(1),
    "quantiles": Limit("three numbers or more between 0 and 1, ascending, with 0.5 among them", _are_quantiles),
    "occupancy_weight": at_least(0),
    "tolerance": at_least(0),
    # balance
    "weight": at_least(0),
    "strength": at_least(0),
    "entropy": at_least(0),
    "early": at_least(0),
    "every": at_least(1),
    "momentum": RATE_OF_LOSS,
    # adversary
    "epsilon": ABOVE_ZERO,
    "share": SHARE,
    # sources
    "samples": at_least(10),
    "law": choice("xor", "and", "copy", "unique", "sum", "gaussian", "mixture"),
    "dial": SHARE,
    "informativeness": SHARE,  # these three: a number, or one per modality
    "noise": at_least(0),
    "missing": RATE_OF_LOSS,
    # loggers
    "mode": choice("auto", "online", "offline"),
}

# where a group allows other values than the rest
OF_GROUP: dict[str, dict[str, Limit]] = {
    "encoder/points": {"pool": choice("max", "mean", "none")},
    "encoder/text": {"pool": choice("mean", "cls", "none")},
    "absence": {"rate": RATE_OF_LOSS, "by": choice("label", "value")},
    "balance": {"rate": RATE_OF_LOSS},
    "imputation": {"rate": BETWEEN},
    "search": {
        "trials": at_least(1),
        "sampler": choice("tpe", "gp", "random", "nsga2"),
        "pruner": choice("none", "median", "hyperband"),
        "objectives": Limit(f"a list of some of {', '.join(OBJECTIVES)}", _are_objectives),
        "parallel": at_least(1),
        "seed": at_least(0),
        "alphas": Limit("a list of two or more different numbers in [0, 1]", _are_weights),
        "inner": at_least(2),
    },
    "fusion": {"layers": at_least(1)},  # modalities that meet in no layer would not meet at all
}


def limit_of(group: str, field: str) -> Limit | None:
    """The limit of a field in a group; None where any value of the right type will do."""
    return OF_GROUP.get(group, {}).get(field) or LIMITS.get(field)
