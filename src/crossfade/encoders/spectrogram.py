"""Spectrograms, in the one place that all audio encoders take them from."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from crossfade.errors import UserError
from crossfade.specs import ModalitySpec


def rate_of(spec: ModalitySpec) -> float:
    """The modality's sampling rate in Hz. Raises UserError where it has none."""
    if spec.rate is None:
        raise UserError(f"modality.{spec.name}.rate: audio needs its sampling rate in Hz, e.g. 16000.")
    return spec.rate


def sounding(x: Tensor) -> Tensor:
    """Where a waveform (B, T) has not ended: true up to its last sample that is not 0, the rest being padding."""
    return (x != 0).flip(-1).cumsum(-1).flip(-1) > 0


class MelSpectrogram(nn.Module):
    """mel · |STFT(x)|²: waveform (B, T) → (B, mels, 1 + ⌊T / hop⌋), Hann window, frames centred on multiples of hop.

    `window`, `hop`, `bins` (of the Fourier transform) are in samples; `scale`: "htk", or "slaney" with filters of
    equal area.
    """

    mel: Tensor
    hann: Tensor

    def __init__(self, rate: float, mels: int, window: int, hop: int, bins: int, scale: str = "htk") -> None:
        super().__init__()
        self.window, self.hop, self.bins = window, hop, bins
        filters = mel_filter_bank(
            num_frequency_bins=bins // 2 + 1,
            num_mel_filters=mels,
            min_frequency=0.0,
            max_frequency=rate / 2,
            sampling_rate=round(rate),
            mel_scale=scale,
            norm="slaney" if scale == "slaney" else None,
        )
        self.register_buffer("mel", torch.tensor(filters, dtype=torch.float32).T, persistent=False)
        self.register_buffer("hann", torch.hann_window(window), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.stft(x, self.bins, self.hop, self.window, self.hann, center=True, return_complex=True)
        return self.mel @ spectrum.abs().square()


class LogMel(MelSpectrogram):
    """log(mel spectrogram + 1e−6) in nepers of power, the window padded to a power of two."""

    def __init__(self, rate: float, mels: int, window_ms: float, hop_ms: float) -> None:
        window = round(rate * window_ms / 1000)
        super().__init__(rate, mels, window, round(rate * hop_ms / 1000), 2 ** (window - 1).bit_length())

    def forward(self, x: Tensor) -> Tensor:
        return torch.log(super().forward(x) + 1e-6)

    def scaled(self, x: Tensor) -> Tensor:
        """The same, shifted and divided: the log-power of speech lies around −10 … 5."""
        return (self(x) + 5.0) / 5.0


class KaldiFilterbank(nn.Module):
    """Log filter-bank energies as Kaldi's `fbank` has them: (B, T) → (B, 1 + ⌊(T − window) / hop⌋, mels).

    Frames of 25 ms every 10 ms, uncentred, each without its mean, pre-emphasised x_t − 0.97·x_{t−1}, Hann window;
    triangles in Kaldi's mel scale from 20 Hz on; log of no less than 1.19e−7.
    """

    mel: Tensor
    hann: Tensor

    def __init__(self, rate: float, mels: int) -> None:
        super().__init__()
        self.window, self.hop = round(rate * 0.025), round(rate * 0.010)
        self.bins = 2 ** (self.window - 1).bit_length()
        filters = mel_filter_bank(
            num_frequency_bins=self.bins // 2 + 1,
            num_mel_filters=mels,
            min_frequency=20.0,
            max_frequency=rate / 2,
            sampling_rate=round(rate),
            norm=None,
            mel_scale="kaldi",
            triangularize_in_mel_space=True,
        )
        self.register_buffer("mel", torch.tensor(filters, dtype=torch.float32), persistent=False)
        self.register_buffer("hann", torch.hann_window(self.window, periodic=False), persistent=False)

    def frames_of(self, samples: Tensor) -> Tensor:
        """How many frames so many samples make; 0 where they are fewer than one takes."""
        return ((samples - self.window).div(self.hop, rounding_mode="floor") + 1).clamp(min=0)

    def forward(self, x: Tensor) -> Tensor:
        frames = x.unfold(-1, self.window, self.hop)
        frames = frames - frames.mean(-1, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], -1)
        power = torch.fft.rfft((frames - 0.97 * before) * self.hann, self.bins).abs().square()
        return (power @ self.mel).clamp(min=1.192092955078125e-07).log()
