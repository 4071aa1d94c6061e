"""Video: every frame through one model, and time told apart."""

from __future__ import annotations

import pytest
import timm
import torch

import tiny
from crossfade.encoders.video import VideoEncoder
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec


def encoder(channels=6, frames=3, **fields):
    torch.manual_seed(0)
    spec = ModalitySpec(name="door", kind="image", channels=channels, size=32)
    part = tiny.part("encoder/image", "video", model="test_vit", frames=frames, hidden=16, heads=2, **fields)
    return tiny.made(part, spec=spec, fitted={})


def test_without_time_a_token_is_its_frames_feature():
    made = encoder(layers=0, pool="none").eval()
    x = torch.randn(2, 6, 32, 32)
    with torch.no_grad():
        tokens, _ = made(x)
        for f in range(3):
            feature = made.image(x[:, 2 * f : 2 * f + 2])[0][:, 0]
            expected = made.norm(made.project(feature) + made.position[f])
            torch.testing.assert_close(tokens[:, f], expected, atol=1e-5, rtol=1e-5)


def test_frames_see_each_other_and_their_order():
    made = encoder(pool="mean").eval()
    x = torch.randn(1, 6, 32, 32)
    backwards = x.unflatten(1, (3, 2)).flip(1).flatten(1, 2)
    with torch.no_grad():
        assert not torch.allclose(made(x)[0], made(backwards)[0], atol=1e-4)
        made.position.zero_()
        torch.testing.assert_close(made(x)[0], made(backwards)[0], atol=1e-5, rtol=1e-5)
        last = torch.cat([x[:, :4], torch.randn(1, 2, 32, 32)], 1)
        made.pool = "none"
        assert not torch.allclose(made(x)[0][:, 0], made(last)[0][:, 0], atol=1e-5)


def test_given_weights_are_those_of_every_frame(tmp_path):
    torch.manual_seed(1)
    given = timm.create_model("test_vit")
    torch.save(given.state_dict(), tmp_path / "weights.pth")
    made = encoder(channels=9, weights=str(tmp_path / "weights.pth"))
    made.load_given_weights()
    assert made.pretrained
    assert torch.equal(made.image.body.patch_embed.proj.weight, given.patch_embed.proj.weight)


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"encoder\.image\.frames=4: modality\.door\.channels=6 is no multiple"):
        encoder(frames=4)
    with pytest.raises(UserError, match=r"modality\.door\.aligned=true: encoder/image=video has a token per frame"):
        encoder(grid=6)
    with pytest.raises(UserError, match="timm has no such model"):
        VideoEncoder.check({"model": "resnet-18"})
