"""The driving task's DataModule."""

from __future__ import annotations

from crossfade.data.module import DataModule


class DrivingDataModule(DataModule):
    """Drives: cameras, lidar, radar, map and ego motion; groups are drives, scenes or videos."""
