"""A frozen encoder and an input that is drawn anew in each epoch exclude each other."""

from __future__ import annotations

import pytest

from crossfade.config import compose
from crossfade.errors import UserError

HOME = ("task=smart_home", "encoder/audio=spectrogram")


@pytest.mark.parametrize("field", ["shift", "mask"])
def test_augmentation_of_a_frozen_encoder_is_refused(field):
    with pytest.raises(UserError, match=rf"encoder.audio.{field}=0.3: .* encoder.audio.frozen=false") as caught:
        compose(*HOME, "encoder.audio.frozen=true", f"encoder.audio.{field}=0.3")
    assert len(caught.value.problems) == 1


def test_of_one_modality_too():
    with pytest.raises(UserError, match=r"encoder.audio.mask=0.3: with modality.audio.encoder.frozen=true"):
        compose(*HOME, "encoder.audio.mask=0.3", "+modality.audio.encoder.frozen=true")


def test_each_alone_is_allowed():
    assert compose(*HOME, "encoder.audio.frozen=true").encoder["audio"]["frozen"]
    assert compose(*HOME, "encoder.audio.shift=0.3").encoder["audio"]["shift"] == 0.3


def test_a_modality_that_the_run_leaves_out_does_not_matter():
    config = compose(*HOME, "encoder.audio.frozen=true", "encoder.audio.shift=0.3", "task.modalities=[camera,motion]")
    assert "audio" not in config.task.modalities
