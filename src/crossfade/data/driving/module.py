"""The driving task's DataModule."""

from __future__ import annotations

from crossfade.data.module import DataModule


class DrivingDataModule(DataModule):
    """Moments of drives: camera, lidar, radar, map, ego motion; groups are drives, so that no two consecutive moments
    lie in two splits."""
