"""Audio: Whisper's encoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from crossfade.encoders.given_audio import KEY, GivenAudio
from crossfade.encoders.spectrogram import MelSpectrogram, rate_of
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec


class WhisperEncoder(GivenAudio):
    """Waveform (B, T) → tokens of 20 ms (B, L, D_e), or their mean (B, 1, D_e).

    Radford et al. 2022, arXiv:2212.04356, section 2.2: log₁₀ mel spectrogram of 25 ms every 10 ms, no more than 8
    below its maximum, then (S + 4) / 4; two convolutions, fixed sinusoids, a Transformer. A given model sees the
    waveform filled up to its 30 s, as it was trained; only tokens within `length` samples come out. From scratch the
    model is as long as the waveform.
    """

    families = ("whisper",)
    option = "whisper"

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        model: str | None = None,
        mels: int = 80,
        hidden: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        frozen: bool = False,
        pool: str = "mean",
        shared: bool = False,
    ) -> None:
        super().__init__(spec, fitted, frozen)
        from transformers import WhisperConfig
        from transformers.models.whisper.modeling_whisper import WhisperEncoder as Body

        rate = rate_of(spec)
        self.model, self.pool, self.pretrained = model, pool, model is not None
        window, hop = round(rate * 0.025), round(rate * 0.010)
        self.tokens = max(1, -(-(fitted["length"] // hop) // 2))  # frames in pairs
        if model is None:
            config: Any = WhisperConfig(
                num_mel_bins=mels,
                max_source_positions=self.tokens,
                d_model=hidden,
                encoder_layers=layers,
                encoder_attention_heads=heads,
                encoder_ffn_dim=2 * hidden,
                dropout=dropout,
                attention_dropout=dropout,
                activation_dropout=dropout,
            )
        else:
            config = self.architecture(fitted)
        config.encoder_layerdrop = 0.0
        if self.tokens > config.max_source_positions:
            seconds = config.max_source_positions * 2 * hop / rate
            raise UserError(
                f"modality.{spec.name}.length={fitted['length']}: {KEY}={model} takes no more than {seconds:g} s. "
                f"Set modality.{spec.name}.length={config.max_source_positions * 2 * hop} samples, or less."
            )
        self.samples = config.max_source_positions * 2 * hop
        self.mel = MelSpectrogram(rate, config.num_mel_bins, window, hop, window + window % 2, scale="slaney")
        self.body = Body(config)
        self._fix_positions()
        self.width = config.d_model

    def _fix_positions(self) -> None:
        """The sinusoids are no parameter."""
        positions: Any = self.body.embed_positions
        fixed = positions.weight.detach()
        del positions.weight
        positions.register_buffer("weight", fixed)

    def load_given_weights(self) -> None:
        if self.model is None:
            return
        from transformers import WhisperModel

        encoder = self._load(WhisperModel).encoder
        encoder.layerdrop = 0.0
        self.body = encoder
        self._fix_positions()

    def spectrogram(self, x: Tensor) -> Tensor:
        """Waveform (B, T) → what the model takes, (B, mels, 2 · its positions)."""
        power = self.mel(pad(x, (0, self.samples - x.shape[-1])))[..., :-1]
        decades = power.clamp(min=1e-10).log10()
        return (torch.maximum(decades, decades.amax((1, 2), keepdim=True) - 8.0) + 4.0) / 4.0

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.body(self.spectrogram(x)).last_hidden_state[:, : self.tokens]
        if self.pool == "mean":
            tokens = tokens.mean(1, keepdim=True)
        return tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=x.device)
