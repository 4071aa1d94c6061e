"""Point clouds → (n, L, F), a row of NaN where there is no point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from crossfade.data.transforms.base import Transform
from crossfade.errors import UserError

LENGTH = 2048  # most points kept where the modality does not say


class PointsTransform(Transform):
    """x, y, z stay in m; further columns (intensity, radial velocity, …) are standardised by the training split.

    Points outside of `extent` (where the modality has one) are left out first. Of more than `length` points every
    N/L-th is kept, in the cloud's own order: no chance, so a sample is the same in each run. A cloud without a point
    is a row of NaN throughout, and not the same as an absent one: a radar may see nothing.
    """

    def prepare(self, raw: Any) -> np.ndarray:
        points = np.asarray(raw, dtype=np.float32)
        if points.ndim != 2 or points.shape[1] < 3:
            raise UserError(
                f"modality {self.spec.name}: a point cloud has shape {points.shape}, expected (N, F) with x, y, z in m "
                "as the first three of F columns."
            )
        if self.spec.extent is not None:
            x_min, x_max, y_min, y_max = self.spec.extent
            x, y = points[:, 0], points[:, 1]
            points = points[(x >= x_min) & (x < x_max) & (y >= y_min) & (y < y_max)]
        most = self.spec.length or LENGTH
        if len(points) > most:
            points = points[np.arange(most) * len(points) // most]
        return points

    def fit(self, prepared: Sequence[Any]) -> None:
        widths = sorted({cloud.shape[1] for cloud in prepared})
        if len(widths) > 1:
            raise UserError(
                f"modality {self.spec.name}: point clouds of {' and '.join(map(str, widths))} columns, all need as many"
            )
        points = np.concatenate(prepared).astype(np.float64)
        if not len(points):
            where = "" if self.spec.extent is None else f" within extent={list(self.spec.extent)} m"
            raise UserError(
                f"modality {self.spec.name}: no point{where} in the whole training split. Check its unit (m), axes and "
                "extent, or leave it out (task.modalities=[…])."
            )
        mean, sd = points[:, 3:].mean(0), points[:, 3:].std(0)
        low, high = points[:, :3].min(0), points[:, :3].max(0)
        self.fitted = {
            "length": max(1, *(len(cloud) for cloud in prepared)),
            "channels": widths[0],
            "mean": mean.tolist(),
            "sd": np.where(sd > 0, sd, 1.0).tolist(),
            "low": low.tolist(),  # of x, y, z in m
            "high": high.tolist(),
        }

    def finish(self, prepared: Sequence[Any]) -> Tensor:
        length, channels = self.fitted["length"], self.fitted["channels"]
        out = np.full((len(prepared), length, channels), np.nan, dtype=np.float32)
        for row, cloud in zip(out, prepared, strict=True):
            if cloud is None:
                continue
            if cloud.shape[1] != channels:
                raise UserError(
                    f"modality {self.spec.name}: a point cloud has {cloud.shape[1]} columns, those of the training "
                    f"split have {channels}."
                )
            if len(cloud) > length:
                cloud = cloud[np.arange(length) * len(cloud) // length]
            row[: len(cloud), :3] = cloud[:, :3]
            row[: len(cloud), 3:] = (cloud[:, 3:] - self.fitted["mean"]) / self.fitted["sd"]
        return torch.from_numpy(out)
