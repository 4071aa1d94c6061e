"""Audio: the Audio Spectrogram Transformer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from crossfade.encoders.given_audio import GivenAudio
from crossfade.encoders.spectrogram import KaldiFilterbank, rate_of, sounding
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec

MEAN, SD = -4.2677393, 4.5689974  # of AudioSet's filter-bank energies, as in the published models


class ASTEncoder(GivenAudio):
    """Waveform (B, T) → log filter-bank energies → a token per P × P patch, or their mean: (B, L, D_e) or (B, 1, D_e).

    Gong et al. 2021, arXiv:2104.01778: overlapping patches of time and frequency, and a ViT. Energies (Kaldi's) are
    cut or filled with zeros to the frames that the model has positions for, then (S − mean) / (2·sd). The two class
    tokens stay inside.
    """

    families = ("audio-spectrogram-transformer",)
    option = "ast"

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        model: str | None = None,
        mels: int = 64,
        patch: int = 16,
        stride: int = 16,
        hidden: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        frozen: bool = False,
        pool: str = "mean",
        shared: bool = False,
    ) -> None:
        super().__init__(spec, fitted, frozen)
        from transformers import ASTConfig, ASTModel

        self.model, self.pool, self.pretrained = model, pool, model is not None
        rate = rate_of(spec)
        if model is None:
            frames = int(KaldiFilterbank(rate, mels).frames_of(torch.tensor(fitted["length"])))
            if min(frames, mels) < patch:
                raise UserError(
                    f"encoder.audio.patch={patch}: does not fit into {frames} frames (of 10 ms) × {mels} mel bands of "
                    f"{spec.name}. Make it smaller, or modality.{spec.name}.length greater."
                )
            config = ASTConfig(
                max_length=frames,
                num_mel_bins=mels,
                patch_size=patch,
                time_stride=stride,
                frequency_stride=stride,
                hidden_size=hidden,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                intermediate_size=2 * hidden,
                hidden_dropout_prob=dropout,
                attention_probs_dropout_prob=dropout,
            )
            features = {}
        else:
            config, features = self.architecture(fitted), fitted["features"]
        self.frames = config.max_length
        self.energies = KaldiFilterbank(rate, config.num_mel_bins)
        self.normalise = features.get("do_normalize", True)
        self.mean, self.sd = features.get("mean", MEAN), features.get("std", SD)
        self.body = ASTModel(config)
        self.width = config.hidden_size

    def load_given_weights(self) -> None:
        if self.model is None:
            return
        from transformers import ASTModel

        self.body = self._load(ASTModel)

    def spectrogram(self, x: Tensor) -> Tensor:
        """Waveform (B, T) → what the model takes, (B, frames, mels)."""
        found = self.energies(pad(x, (0, max(0, self.energies.window - x.shape[-1]))))
        # frames behind the end of the sound are zeros too, not the energy of silence
        ended = self.energies.frames_of(sounding(x).sum(-1, keepdim=True))
        found = found * (torch.arange(found.shape[1], device=x.device) < ended).unsqueeze(-1)
        found = pad(found, (0, 0, 0, self.frames - found.shape[1]))
        return (found - self.mean) / (2 * self.sd) if self.normalise else found

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.body(self.spectrogram(x)).last_hidden_state[:, 2:]
        if self.pool == "mean":
            tokens = tokens.mean(1, keepdim=True)
        return tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=x.device)
