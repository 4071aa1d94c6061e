"""Audio models of transformers: with given weights, or small and from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import nn

from crossfade.encoders import hub
from crossfade.encoders.base import Encoder
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec

KEY = "encoder.audio.model"


class GivenAudio(Encoder):
    """Base of the encoders that are audio models of transformers.

    `model`: a local path, `package:NAME/FOLDER` (a folder of an installed Python package), or a hub name; null: small
    and from scratch. Of a model, `fitted` holds the architecture and how it wants its input, so that a run is reopened
    without the original folder. What a model does to its input at random in training (masked spans, skipped layers) is
    off: it would not be seeded by the run, and leaves parameters without a gradient.

    Raises UserError when there is no such model, or it is of another family or sampling rate.
    """

    families: ClassVar[tuple[str, ...]]  # `model_type`s of transformers
    option: ClassVar[str]  # of encoder/audio
    model: str | None
    body: nn.Module

    @classmethod
    def check(cls, fields: Mapping[str, Any]) -> None:
        if fields.get("model") is not None:
            cls._read(fields["model"])

    @classmethod
    def _read(cls, model: str) -> Any:
        """Its configuration."""
        from transformers import AutoConfig

        with hub.reading(model, KEY) as where, hub.quiet():
            config = AutoConfig.from_pretrained(where)
        if config.model_type not in cls.families:
            raise UserError(
                f"{KEY}={model}: is of the family {config.model_type}, and encoder/audio={cls.option} takes "
                f"{', '.join(cls.families)}. Choose the encoder/audio that takes it: ast, wav2vec2 or whisper."
            )
        return config

    @classmethod
    def given(cls, spec: ModalitySpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        model = fields.get("model")
        if model is None:
            return {}
        from transformers import AutoFeatureExtractor

        config = cls._read(model)
        with hub.reading(model, KEY) as where:
            features = AutoFeatureExtractor.from_pretrained(where).to_dict()
        if spec.rate != features["sampling_rate"]:
            raise UserError(
                f"modality.{spec.name}.rate={spec.rate}: {KEY}={model} was trained at {features['sampling_rate']} Hz. "
                f"Set modality.{spec.name}.rate={features['sampling_rate']}; sound files are resampled to it."
            )
        wanted = ("do_normalize", "mean", "std")
        return {
            "architecture": config.to_dict(),
            "features": {name: features[name] for name in wanted if name in features},
        }

    def _load(self, loader: Any, **options: Any) -> Any:
        """The given model, complete, of transformers' class `loader`."""
        assert self.model is not None
        with hub.reading(self.model, KEY) as where, hub.quiet():
            loaded, report = loader.from_pretrained(where, output_loading_info=True, **options)
        hub.check_complete(report, self.model, KEY)
        return loaded

    @staticmethod
    def architecture(fitted: Mapping[str, Any]) -> Any:
        """The configuration of the model that the run was given."""
        from transformers import AutoConfig

        plain = dict(fitted["architecture"])
        return AutoConfig.for_model(plain.pop("model_type"), **plain)
