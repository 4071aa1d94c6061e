"""The smart-home task's DataModule."""

from __future__ import annotations

from crossfade.data.module import DataModule


class SmartHomeDataModule(DataModule):
    """Homes: speech and sounds, camera, motion, climate, electricity, weather; groups are households."""
