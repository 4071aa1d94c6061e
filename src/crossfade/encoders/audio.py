"""Audio: log-mel spectrogram, then any timm model."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.functional import interpolate, layer_norm

from crossfade.encoders import spec_augment
from crossfade.encoders.base import Encoder
from crossfade.encoders.image import TimmEncoder
from crossfade.encoders.spectrogram import LogMel, rate_of
from crossfade.specs import ModalitySpec


class SpectrogramEncoder(Encoder):
    """Waveform (B, T) at `rate` Hz → log-mel spectrogram (B, 1, S, S) → tokens of a timm model.

    The spectrogram (`spectrogram.LogMel`) is resized to the square that image models take. In training it is rolled in
    time by up to `shift` of its length, and bands and stretches of up to `mask` of each axis are masked. `level: own`
    brings every spectrogram to mean 0 and standard deviation 1, so that loudness plays no part.

    Raises UserError when the modality has no rate.
    """

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        model: str,
        mels: int = 64,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        level: str = "fixed",
        shift: float = 0.0,
        mask: float = 0.0,
        weights: str | None = None,
        frozen: bool = False,
        pool: str = "mean",
        shared: bool = False,
    ) -> None:
        super().__init__(spec, fitted, frozen)
        self.spectrogram = LogMel(rate_of(spec), mels, window_ms, hop_ms)
        self.level, self.shift, self.mask = level, shift, mask
        image = spec.model_copy(update={"channels": 1, "size": mels})
        self.image = TimmEncoder(image, fitted, model=model, weights=weights, frozen=frozen, pool=pool)
        self.width, self.pretrained = self.image.width, self.image.pretrained

    def load_given_weights(self) -> None:
        self.image.load_given_weights()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        picture = self.spectrogram.scaled(x).unsqueeze(1)
        if self.level == "own":
            picture = layer_norm(picture, picture.shape[1:])
        size = self.image.spec.size
        picture = interpolate(picture, (size, size), mode="bilinear", antialias=True)
        if self.training and self.shift:
            picture = spec_augment.roll(picture, self.shift)
        if self.training and self.mask:
            picture = spec_augment.mask(picture, self.mask)
        return self.image(picture)
