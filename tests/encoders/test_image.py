"""Any timm model, any number of channels, weights from a file."""

from __future__ import annotations

import time

import pytest
import timm
import torch
from huggingface_hub import constants
from torch.nn.functional import interpolate

import tiny
from crossfade.encoders.image import TimmEncoder, on_grid
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec

FAMILIES = [
    "test_vit",
    "test_byobnet",
    "test_convnext",
    "test_efficientnet_gn",
    "test_resnet",
    "test_mambaout",  # channels last, as Swin
    pytest.param("mobilenetv4_conv_small_050", marks=pytest.mark.slow),  # its head is wider than its features
]


def encoder(model, channels=1, size=64, **fields):
    torch.manual_seed(0)
    spec = ModalitySpec(name="scan", kind="image", channels=channels, size=size)
    return tiny.made(tiny.part("encoder/image", "timm", model=model, **fields), spec=spec, fitted={})


@pytest.mark.parametrize("model", FAMILIES)
def test_families(model):
    made = encoder(model, pool="none").eval()
    x = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        tokens, mask = made(x)
        pooled = made.body.forward_features(x)
    assert tokens.shape == (2, tokens.shape[1], made.width)
    assert mask.all()
    grid = {"test_vit": 16}.get(model, 4)  # 64 pixels: patches of 16, or a stride of 32
    assert tokens.shape[1] == grid
    # each token is the feature vector at one place: D channels, whichever axis timm keeps them on
    places = pooled[:, made.body.num_prefix_tokens :] if pooled.ndim == 3 else pooled
    if pooled.ndim == 4 and pooled.shape[1] == made.width:
        places = pooled.movedim(1, -1)
    torch.testing.assert_close(tokens, places.reshape(2, -1, made.width))


@pytest.mark.parametrize("model", ["test_vit", "test_resnet"])
@pytest.mark.parametrize("channels", [1, 2, 3, 12])
def test_any_number_of_channels(model, channels):
    made = encoder(model, channels, 32).eval()
    x = torch.randn(1, channels, 32, 32)
    changed = x + torch.eye(channels).view(channels, channels, 1, 1)  # row c: another channel c
    with torch.no_grad():
        out = made(torch.cat([x, changed]))[0].flatten(1)
    assert all(not torch.allclose(row, out[0], atol=1e-4) for row in out[1:])  # each is looked at


def test_the_batch_norms_statistics_of_a_frozen_encoder_stay():
    made = encoder("test_byobnet", frozen=True)
    made.freeze()
    statistics = {name: b.clone() for name, b in made.named_buffers() if "running" in name}
    assert statistics
    made.train()
    made(torch.randn(8, 1, 64, 64) * 9 + 5)
    assert all(torch.equal(statistics[name], b) for name, b in made.named_buffers() if "running" in name)


@pytest.mark.parametrize(("model", "first"), [("test_resnet", "conv1.0"), ("test_vit", "patch_embed.proj")])
@pytest.mark.parametrize("channels", [1, 3])
def test_weights_from_a_local_file_with_the_channels_adapted(tmp_path, model, first, channels):
    torch.manual_seed(1)
    given = timm.create_model(model)
    path = tmp_path / "weights.pth"
    torch.save(given.state_dict(), path)
    made = encoder(model, channels, 160, weights=str(path))  # the size that the weights were trained at
    before = made.body.state_dict()
    made.load_given_weights()
    assert made.pretrained
    own, theirs = made.body.state_dict(), given.state_dict()
    adapted = own.pop(f"{first}.weight")
    original = theirs[f"{first}.weight"]
    expected = original.sum(1, keepdim=True) if channels == 1 else original
    torch.testing.assert_close(adapted, expected)
    assert all(torch.equal(value, theirs[name]) for name, value in own.items())
    assert any(not torch.equal(value, before[name]) for name, value in own.items())
    made.freeze()
    assert made(torch.randn(1, channels, 160, 160))[0].isfinite().all()


def test_a_weights_file_that_is_not_there_or_not_for_this_model(tmp_path):
    with pytest.raises(UserError, match=r"encoder\.image\.weights=.*no such file"):
        encoder("test_vit", weights=str(tmp_path / "none.pth")).load_given_weights()
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "resnet.pth")
    with pytest.raises(UserError, match=r"encoder\.image\.weights=.*resnet\.pth: cannot be used: .*layers of test_vit"):
        encoder("test_vit", weights=str(tmp_path / "resnet.pth")).load_given_weights()
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(UserError, match=r"encoder\.image\.weights=.*text\.pth: cannot be used"):
        encoder("test_vit", weights=str(tmp_path / "text.pth")).load_given_weights()


def test_an_unknown_model_is_named_with_the_nearest():
    with pytest.raises(UserError, match=r'timm has no such model\. Did you mean "resnet18"\?'):
        encoder("resnet-18")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://192.0.2.1", "http://no-such-host.invalid"])
@pytest.mark.parametrize("offline", [True, False])
def test_out_of_the_hubs_reach_it_says_so_at_once(monkeypatch, tmp_path, endpoint, offline):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    made = encoder("test_vit", pretrained=True)
    start = time.monotonic()
    with pytest.raises(UserError, match=r"encoder\.image\.model=test_vit.*out of reach.*pretrained=false"):
        made.load_given_weights()
    assert time.monotonic() - start < 2.0
    assert offline == constants.HF_HUB_OFFLINE


@pytest.mark.parametrize("model", ["test_byobnet", "test_vit", "test_convnext", "test_mambaout"])
def test_on_a_grid_every_cell_has_a_token_of_all_strides(model):
    encoder = TimmEncoder(ModalitySpec(name="x", kind="image", channels=2, size=48), {}, model=model, grid=12).eval()
    tokens, mask = encoder(torch.randn(2, 2, 48, 48))
    assert tokens.shape == (2, 144, encoder.width)
    assert mask.all()
    info = encoder.body.feature_info
    beside = [max(1, 48 // stride // 12) ** 2 for stride in (1, *info.reduction())]  # values of a map in one cell
    assert encoder.width == sum(c * n for c, n in zip((2, *info.channels()), beside, strict=True))


def test_cells_run_row_by_row_and_hold_finer_maps_side_by_side():
    features = torch.arange(16.0).view(1, 1, 4, 4)
    cells = on_grid(features, 2)[0]
    assert cells[:, 0, 1].tolist() == [2, 3, 6, 7]
    assert cells[:, 1, 0].tolist() == [8, 9, 12, 13]
    finest = on_grid(torch.arange(144.0).view(1, 1, 12, 12), 1)[0, :, 0, 0]  # 6 × 6 at most, means of 2 × 2
    assert finest.tolist() == [12 * i + j + 6.5 for i in range(0, 12, 2) for j in range(0, 12, 2)]


def test_coarser_maps_are_interpolated():
    features = torch.randn(2, 3, 3, 4)
    torch.testing.assert_close(on_grid(features, 6), interpolate(features, (6, 6), mode="bilinear"))
    coarse = on_grid(torch.tensor([[[[0.0, 4.0]]]]).expand(1, 1, 2, 2), 4)[0, 0]
    assert coarse[0].tolist() == [0.0, 1.0, 3.0, 4.0]  # bilinear between the centres of the two columns


def test_a_change_in_one_cell_shows_most_in_its_token():
    encoder = TimmEncoder(ModalitySpec(name="x", kind="image", size=48), {}, model="test_byobnet", grid=12).eval()
    image = torch.zeros(1, 1, 48, 48)
    changed = image.clone()
    changed[..., 12:16, 32:36] = 1.0  # row 3, column 8
    with torch.no_grad():
        moved = (encoder(changed)[0] - encoder(image)[0])[..., :16].norm(dim=-1)  # the image itself
    assert moved.argmax() == 3 * 12 + 8
