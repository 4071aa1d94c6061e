"""Frozen encoders take no augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RANDOM = ("shift", "mask")  # fields by which an encoder draws something of its input in training


def augmented(raw: Mapping[str, Any]) -> dict[str, str]:
    """A message per field that would draw a frozen encoder's input anew: its outputs are computed once for all epochs.

    Views drawn beforehand would be k times the features, and the same k in every epoch; so it is refused instead.
    """
    problems = {}
    for name in raw["task"]["modalities"]:
        spec = raw["modality"].get(name, {})
        of_kind, own = raw["encoder"].get(spec.get("kind"), {}), spec.get("encoder") or {}
        part = {**of_kind, **own} if own.get("_target_", of_kind.get("_target_")) == of_kind.get("_target_") else own
        if not part.get("frozen"):
            continue
        for field in (f for f in RANDOM if part.get(f)):
            where = {f: f"modality.{name}.encoder.{f}" if f in own else f"encoder.{spec['kind']}.{f}" for f in part}
            problems[where[field]] = (
                f"{where[field]}={part[field]}: with {where['frozen']}=true the encoder's outputs are computed once, "
                f"so nothing of its input is drawn anew in training. Set {where[field]}=0.0, or train the encoder: "
                f"{where['frozen']}=false."
            )
    return problems
