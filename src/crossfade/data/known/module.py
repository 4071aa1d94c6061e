"""The DataModule of the laws."""

from __future__ import annotations

from crossfade.data.module import DataModule


class KnownDataModule(DataModule):
    """Samples of a law that is known; independent of each other, so every sample is a group of its own."""
