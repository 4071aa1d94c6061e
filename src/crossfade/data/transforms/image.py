"""Images → (n, C, S, S)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from crossfade.data.transforms.base import Transform


class ImageTransform(Transform):
    """Resized to size × size (bilinear, antialiased), then [low, high] → [−1, 1] or (x − mean) / sd per channel.

    Mean and sd are those of the training split. Values outside of `range` are cut off (a CT's window).
    """

    def prepare(self, raw: Any) -> np.ndarray:
        image = torch.as_tensor(np.asarray(raw, dtype=np.float32))
        size = (self.spec.size, self.spec.size)
        if image.shape[-2:] != size:
            image = interpolate(image[None], size, mode="bilinear", antialias=True)[0]
        return image.numpy()

    def fit(self, prepared: Sequence[Any]) -> None:
        if self.spec.range is not None:
            return
        total = np.zeros(self.spec.channels)
        square = np.zeros(self.spec.channels)
        for image in prepared:  # one at a time: the training split may be large
            wide = image.astype(np.float64)
            total += wide.mean((1, 2))
            square += (wide**2).mean((1, 2))
        mean = total / max(len(prepared), 1)
        sd = np.sqrt(np.maximum(square / max(len(prepared), 1) - mean**2, 0))
        self.fitted = {"mean": mean.tolist(), "sd": np.where(sd > 0, sd, 1.0).tolist()}

    def finish(self, prepared: Sequence[Any]) -> Tensor:
        spec = self.spec
        images = torch.zeros(len(prepared), spec.channels, spec.size, spec.size)
        for row, image in zip(images, prepared, strict=True):
            if image is not None:
                row.copy_(torch.from_numpy(image))
        if spec.range is not None:
            low, high = spec.range
            return images.clamp_(low, high).sub_(low).mul_(2 / (high - low)).sub_(1)
        mean, sd = (torch.tensor(self.fitted[k], dtype=torch.float32).view(1, -1, 1, 1) for k in ("mean", "sd"))
        return images.sub_(mean).div_(sd)
