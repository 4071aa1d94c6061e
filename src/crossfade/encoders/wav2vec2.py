"""Audio: wav2vec 2.0 and its kin, on the waveform itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from crossfade.encoders.given_audio import GivenAudio
from crossfade.encoders.spectrogram import rate_of, sounding
from crossfade.errors import UserError
from crossfade.layers.masking import masked_mean
from crossfade.specs import ModalitySpec

EXACT = {  # nothing at random but dropout, and no adapter that shortens
    "mask_time_prob": 0.0,
    "mask_feature_prob": 0.0,
    "layerdrop": 0.0,
    "add_adapter": False,
}


class Wav2Vec2Encoder(GivenAudio):
    """Waveform (B, T) → contextual tokens (B, L, D_e), about 50 a second at 16 kHz, or their mean (B, 1, D_e).

    wav2vec 2.0: Baevski et al. 2020, arXiv:2006.11477; HuBERT: Hsu et al. 2021, arXiv:2106.07447; WavLM: Chen et al.
    2022, arXiv:2110.13900. From scratch it is wav2vec 2.0, without its self-supervised training.

    Zeros at the end of a waveform are padding: the rest is brought to mean 0 and variance 1 where the model wants that,
    and tokens behind it are masked. Attention within the model sees them only in models with group norm, which were
    trained so.
    """

    families = ("wav2vec2", "hubert", "wavlm", "unispeech-sat", "data2vec-audio")
    option = "wav2vec2"

    def __init__(
        self,
        spec: ModalitySpec,
        fitted: dict[str, Any],
        model: str | None = None,
        hidden: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        frozen: bool = False,
        pool: str = "mean",
        shared: bool = False,
    ) -> None:
        super().__init__(spec, fitted, frozen)
        from transformers import AutoModel, Wav2Vec2Config

        rate_of(spec)
        self.model, self.pool, self.pretrained = model, pool, model is not None
        if model is None:
            config: Any = Wav2Vec2Config(
                hidden_size=hidden,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                intermediate_size=2 * hidden,
                conv_dim=[hidden] * 7,
                num_conv_pos_embeddings=16,
                num_conv_pos_embedding_groups=heads,
                hidden_dropout=dropout,
                attention_dropout=dropout,
                activation_dropout=dropout,
                feat_proj_dropout=dropout,
            )
            features = {}
        else:
            config, features = self.architecture(fitted), fitted["features"]
        config.update(EXACT)
        self.normalise = features.get("do_normalize", True)
        self.convolutions = list(zip(config.conv_kernel, config.conv_stride, strict=True))
        self.masked = getattr(config, "feat_extract_norm", "layer") == "layer"
        if int(self.tokens_of(torch.tensor(fitted["length"]))) < 1:
            raise UserError(
                f"modality.{spec.name}.length={fitted['length']}: too short for encoder/audio=wav2vec2, whose first "
                "token needs 400 samples (25 ms at 16 kHz). Make it longer, or choose encoder/audio=logmel."
            )
        self.body = AutoModel.from_config(config)
        self._tidy()
        self.width = config.hidden_size

    def load_given_weights(self) -> None:
        if self.model is None:
            return
        from transformers import AutoModel

        self.body = self._load(AutoModel, config=self.body.config)
        self._tidy()

    def _tidy(self) -> None:
        """Without what only masked spans need, and without the feature extractor's change of its input's flags."""
        body: Any = self.body
        if hasattr(body, "masked_spec_embed"):
            del body.masked_spec_embed
        body.feature_extractor._requires_grad = False

    def tokens_of(self, samples: Tensor) -> Tensor:
        """How many tokens the convolutions make of so many samples."""
        for kernel, stride in self.convolutions:
            samples = (samples - kernel).div(stride, rounding_mode="floor") + 1
        return samples

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        there = sounding(x)
        samples = there.sum(-1, keepdim=True).clamp(min=1)
        if self.normalise:
            centred = (x - (x * there).sum(-1, keepdim=True) / samples) * there
            x = centred / (centred.square().sum(-1, keepdim=True) / samples + 1e-7).sqrt()
        # the first token always counts: a softmax over no token at all is NaN
        first = samples.clamp(min=int(self.first))
        seen = torch.arange(x.shape[-1], device=x.device) < first
        tokens = self.body(x, attention_mask=seen.long() if self.masked else None).last_hidden_state
        mask = torch.arange(tokens.shape[1], device=x.device) < self.tokens_of(first)
        if self.pool == "mean":
            return masked_mean(tokens, mask).unsqueeze(1), mask[:, :1]
        return tokens, mask

    @property
    def first(self) -> int:
        """Samples that the first token is made of."""
        samples = 1
        for kernel, stride in reversed(self.convolutions):
            samples = (samples - 1) * stride + kernel
        return samples
