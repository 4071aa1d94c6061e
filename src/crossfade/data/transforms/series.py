"""Series → (n, T, C), NaN = missing entry or past the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from crossfade.data.transforms.base import Transform


class SeriesTransform(Transform):
    """Channels standardised by the training split; cut or padded to `length` steps (default: the longest there)."""

    def prepare(self, raw: Any) -> np.ndarray:
        series = np.asarray(raw, dtype=np.float32)
        return series[:, None] if series.ndim == 1 else series

    def fit(self, prepared: Sequence[Any]) -> None:
        steps = np.concatenate(prepared)
        seen = np.maximum((~np.isnan(steps)).sum(0), 1)  # a channel that was never observed has mean 0 and sd 1
        mean = np.nansum(steps, 0, dtype=np.float64) / seen
        sd = np.sqrt(np.nansum((steps - mean) ** 2, 0) / seen)
        self.fitted = {
            "mean": mean.tolist(),
            "sd": np.where(sd > 0, sd, 1.0).tolist(),
            "channels": steps.shape[1],
            "length": self.spec.length or max(len(s) for s in prepared),
        }

    def finish(self, prepared: Sequence[Any]) -> Tensor:
        out = np.full((len(prepared), self.fitted["length"], self.fitted["channels"]), np.nan, dtype=np.float32)
        for row, series in zip(out, prepared, strict=True):
            if series is not None:
                cut = series[: len(row)]
                row[: len(cut)] = (cut - self.fitted["mean"]) / self.fitted["sd"]
        return torch.from_numpy(out)
