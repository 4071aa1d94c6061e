"""Augmented spectrograms: what is rolled and masked, and that none of it happens outside of training."""

from __future__ import annotations

import pytest
import torch

from crossfade.encoders import spec_augment
from crossfade.encoders.audio import SpectrogramEncoder
from crossfade.specs import ModalitySpec

SPEC = ModalitySpec(name="audio", kind="audio", rate=8000, length=8000)


def encoder(**fields):
    torch.manual_seed(0)
    return SpectrogramEncoder(SPEC, {}, model="test_byobnet", mels=32, hop_ms=20.0, **fields)


def test_rolled_pictures_keep_their_columns_in_their_cyclic_order():
    torch.manual_seed(0)
    picture = torch.arange(12.0).repeat(64, 1, 3, 1)
    rolled = spec_augment.roll(picture, 1.0)
    first = rolled[:, 0, 0, 0].long()
    assert torch.equal(rolled, torch.stack([picture[i].roll(-int(k), -1) for i, k in enumerate(first)]))
    assert len(set(first.tolist())) > 8  # each by its own amount
    small = spec_augment.roll(picture, 0.25)[:, 0, 0, 0]
    assert set(small.tolist()) <= {9.0, 10.0, 11.0, 0.0, 1.0, 2.0, 3.0}
    assert len(set(small.tolist())) == 7


def test_masks_are_one_band_and_one_stretch_of_the_mean():
    torch.manual_seed(0)
    picture = torch.rand(200, 1, 20, 40)
    masked = spec_augment.mask(picture, 0.5)
    mean = picture.mean((1, 2, 3), keepdim=True)
    changed = masked != picture
    once = torch.isclose(masked, mean, atol=0.05)  # the second mask's mean is that of a picture with the first
    assert once[changed].all()
    bands, columns = changed[:, 0].all(2), changed[:, 0].all(1)  # (B, F), (B, T)
    assert torch.equal(changed[:, 0], bands[:, :, None] | columns[:, None, :])
    for axis, size in ((bands, 20), (columns, 40)):
        width = axis.sum(1)
        assert width.max() <= 0.5 * size + 1
        assert 0.15 * size < width.float().mean() < 0.35 * size
        edges = (axis[:, 1:] != axis[:, :-1]).sum(1)
        assert edges.max() <= 2  # contiguous
    assert torch.equal(spec_augment.mask(picture, 0.0), picture)


def test_only_training_is_augmented_and_a_seed_gives_it_again():
    x = torch.randn(4, 8000)
    plain, augmented = encoder(), encoder(shift=1.0, mask=0.3)
    for one in (plain, augmented):
        one.eval()
    assert torch.equal(plain(x)[0], augmented(x)[0])

    def trained(seed):
        fresh = encoder(shift=1.0, mask=0.3).train()
        torch.manual_seed(seed)
        return fresh(x)[0]

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


@pytest.mark.parametrize("gain", [0.1, 30.0])
def test_a_level_of_its_own_hides_the_loudness(gain):
    x = torch.randn(2, 8000)
    fixed, own = encoder().eval(), encoder(level="own").eval()
    torch.testing.assert_close(own(x)[0], own(gain * x)[0], rtol=1e-3, atol=1e-3)
    assert (fixed(x)[0] - fixed(gain * x)[0]).abs().max() > 0.01
