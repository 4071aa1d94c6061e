"""Raw truths of every kind of target, one file a kind: FIELDS of its spec, TRUTHS (None = unknown) of some samples."""

from __future__ import annotations

import importlib
from types import ModuleType


def samples_of(kind: str) -> ModuleType:
    """FIELDS, TRUTHS."""
    return importlib.import_module(f"target_samples.{kind}")
