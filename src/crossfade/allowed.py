"""What a config may build: classes of the package, by their dotted path."""

from __future__ import annotations

import importlib
from typing import Any

from crossfade.errors import UserError

ALLOWED = ("crossfade.",)


def find_class(path: str) -> Any:
    """The class of this dotted path.

    Raises UserError for a path outside the allow-list: a config read from a run folder builds nothing else.
    """
    if not path.startswith(ALLOWED):
        raise UserError(
            f"_target_={path}: not allowed. A config builds only what begins with {' or '.join(ALLOWED)} "
            "To use a class of your own, hand it to FusionModel in Python."
        )
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
