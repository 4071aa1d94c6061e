"""Audio: log-mel spectrogram, then any timm model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.audio_utils import mel_filter_bank

from crossfade.encoders import spec_augment
from crossfade.encoders.base import Encoder
from crossfade.encoders.image import TimmEncoder
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec


class SpectrogramEncoder(Encoder):
    """Waveform (B, T) at `rate` Hz → log-mel spectrogram (B, 1, S, S) → tokens of a timm model.

    S_mel = log(mel · |STFT(x)|² + 1e−6), Hann window, resized to the square that image models take. In training it is
    rolled in time by up to `shift` of its length, and bands and stretches of up to `mask` of each axis are masked.
    `level: own` brings every spectrogram to mean 0 and standard deviation 1, so that loudness plays no part.

    Raises UserError when the modality has no rate.
    """

    mel: Tensor
    hann: Tensor

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
        if spec.rate is None:
            raise UserError(f"modality.{spec.name}.rate: audio needs its sampling rate in Hz, e.g. 16000.")
        self.window = round(spec.rate * window_ms / 1000)
        self.hop = round(spec.rate * hop_ms / 1000)
        self.level, self.shift, self.mask = level, shift, mask
        self.bins = 2 ** (self.window - 1).bit_length()
        filters = mel_filter_bank(
            num_frequency_bins=self.bins // 2 + 1,
            num_mel_filters=mels,
            min_frequency=0.0,
            max_frequency=spec.rate / 2,
            sampling_rate=round(spec.rate),
            mel_scale="htk",
        )
        self.register_buffer("mel", torch.tensor(filters, dtype=torch.float32).T, persistent=False)
        self.register_buffer("hann", torch.hann_window(self.window), persistent=False)
        image = spec.model_copy(update={"channels": 1, "size": mels})
        self.image = TimmEncoder(image, fitted, model=model, weights=weights, frozen=frozen, pool=pool)
        self.width, self.pretrained = self.image.width, self.image.pretrained

    def load_given_weights(self) -> None:
        self.image.load_given_weights()

    def spectrogram(self, x: Tensor) -> Tensor:
        """Waveform (B, T) → log-mel spectrogram (B, mels, frames), in nepers of power."""
        spectrum = torch.stft(x, self.bins, self.hop, self.window, self.hann, center=True, return_complex=True)
        return torch.log(self.mel @ spectrum.abs().square() + 1e-6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        picture = (self.spectrogram(x).unsqueeze(1) + 5.0) / 5.0  # log-power of speech lies around −10 … 5
        if self.level == "own":
            picture = torch.nn.functional.layer_norm(picture, picture.shape[1:])
        size = self.image.spec.size
        picture = torch.nn.functional.interpolate(picture, (size, size), mode="bilinear", antialias=True)
        if self.training and self.shift:
            picture = spec_augment.roll(picture, self.shift)
        if self.training and self.mask:
            picture = spec_augment.mask(picture, self.mask)
        return self.image(picture)
