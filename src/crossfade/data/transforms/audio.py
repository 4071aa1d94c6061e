"""Audio → (n, T) at the modality's rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from crossfade.allowed import find_class
from crossfade.data.transforms.base import Transform


class AudioTransform(Transform):
    """Cut or zero-padded to `length` samples (default: the longest of the training split).

    A model that the encoder is given (Whisper, …) leaves what is needed to build it again in `fitted`.
    """

    def prepare(self, raw: Any) -> np.ndarray:
        return np.asarray(raw, dtype=np.float32)

    def fit(self, prepared: Sequence[Any]) -> None:
        self.fitted = {"length": self.spec.length or max(len(wave) for wave in prepared)}
        if "_target_" in self.encoder:
            self.fitted |= find_class(self.encoder["_target_"]).given(self.spec, self.encoder)

    def finish(self, prepared: Sequence[Any]) -> Tensor:
        out = torch.zeros(len(prepared), self.fitted["length"])
        for row, wave in zip(out, prepared, strict=True):
            if wave is not None:
                cut = wave[: len(row)]
                row[: len(cut)] = torch.from_numpy(cut)
        return out
