"""`search=grid`: all combinations of the values."""

from __future__ import annotations

from crossfade.search.asked import Asked
from crossfade.sweeps.multirun import sweep


class Grid:
    """What `-m` alone does, by a name."""

    def __call__(self, asked: Asked) -> None:
        """Run the sweep."""
        sweep(asked.combinations(), asked.folder, asked.compose, asked.launcher_for, asked.command)
