"""The smart-home task's DataModule."""

from __future__ import annotations

from crossfade.data.module import DataModule


class SmartHomeDataModule(DataModule):
    """Homes: audio, transcripts, cameras, motion, climate, power, weather; groups are households or recordings."""
