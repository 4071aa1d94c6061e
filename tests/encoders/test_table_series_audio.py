"""Tables, series and sound: missing entries, and the spectrogram against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tiny
from crossfade.data.transforms import make_transform
from crossfade.encoders.audio import SpectrogramEncoder
from crossfade.encoders.series import PatchEncoder
from crossfade.encoders.table import TableEncoder
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec

NAN = float("nan")


def table(pool="none", cardinality=(0, 3, 0, 2)):
    torch.manual_seed(0)
    return TableEncoder(tiny.SPECS["table"], {"cardinality": list(cardinality)}, hidden=8, pool=pool).eval()


def test_table_tokens_by_hand():
    encoder = table()
    x = torch.tensor([[1.5, 2.0, NAN, 1.0], [NAN, NAN, -2.0, 0.0]])
    tokens, mask = encoder(x)
    w, b, e, gone = encoder.weight, encoder.bias, encoder.embedding.weight, encoder.missing
    expected = [[1.5 * w[0] + b[0], e[2], gone[2], e[3 + 1]], [gone[0], gone[1], -2.0 * w[1] + b[1], e[3 + 0]]]
    torch.testing.assert_close(tokens, torch.stack([torch.stack(row) for row in expected]))
    assert mask.all()


@pytest.mark.parametrize("cardinality", [(0, 0), (3, 2)])
def test_tables_of_numbers_or_categories_alone(cardinality):
    for pool, tokens in (("none", 2), ("mean", 1)):
        out, _ = table(pool, cardinality)(torch.tensor([[1.0, 0.0], [NAN, NAN]]))
        assert out.shape == (2, tokens, 8)
        assert out.isfinite().all()


def test_an_entirely_missing_row_still_trains_without_nan():
    encoder = table("mean").train()
    encoder(torch.tensor([[NAN] * 4, [1.0, 0.0, 0.0, 0.0]]))[0].sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())
    assert encoder.missing.grad.any()


def test_an_unseen_category_is_a_missing_one():
    spec = ModalitySpec(name="t", kind="table", column=["age", "sex"], categorical=["sex"])
    transform = make_transform(spec, {})
    transform.fit([{"age": 40.0, "sex": "m"}, {"age": 60.0, "sex": "f"}])
    encoder = TableEncoder(spec, transform.fitted, hidden=8, pool="none")
    rows = transform.finish([{"age": 50.0, "sex": "x"}, {"age": 50.0, "sex": None}, {"age": 50.0, "sex": "m"}])
    tokens, _ = encoder(rows)
    assert torch.equal(tokens[0], tokens[1])
    assert torch.equal(tokens[0, 1], encoder.missing[1])
    assert not torch.equal(tokens[0, 1], tokens[2, 1])


def series(pool="none", length=20, patch=8):
    torch.manual_seed(0)
    fitted = {"length": length, "channels": 2}
    return PatchEncoder(tiny.SPECS["power"], fitted, patch=patch, hidden=16, layers=2, heads=2, pool=pool).eval()


def test_a_patch_without_any_value_is_masked_and_seen_by_none():
    encoder = series()
    x = torch.randn(2, 20, 2)
    x[1, 8:16] = NAN  # the second of ⌈20/8⌉ = 3 patches
    tokens, mask = encoder(x)
    assert tokens.shape == (2, 3, 16)
    assert mask.tolist() == [[True] * 3, [True, False, True]]
    pooled, _ = series("mean")(x)
    torch.testing.assert_close(pooled[1, 0], tokens[1, [0, 2]].mean(0), atol=1e-6, rtol=1e-5)


def test_a_missing_value_is_not_a_zero():
    encoder = series("mean")
    x = torch.zeros(2, 20, 2)
    x[1, 3, 0] = NAN
    out, _ = encoder(x)
    assert not torch.allclose(out[0], out[1], atol=1e-5)


@pytest.mark.parametrize("pool", ["mean", "none"])
def test_series_with_nothing_observed_or_padding_at_the_end(pool):
    encoder = series(pool)
    x = torch.full((2, 20, 2), NAN)
    x[1, :5] = 1.0
    tokens, mask = encoder(x)
    assert tokens.isfinite().all()
    assert mask.any(1).all()
    tokens.sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


def test_spectrogram_is_numpys():
    """Framed, windowed, Fourier transformed and summed over mel bands by hand."""
    spec = ModalitySpec(name="a", kind="audio", rate=8000)
    encoder = SpectrogramEncoder(spec, {}, model="test_vit", mels=32)
    time = np.arange(4000) / 8000
    x = np.sin(2 * np.pi * 440 * time) + 0.1 * np.random.default_rng(0).normal(size=4000)
    window, hop, bins = 200, 80, 256
    made = encoder.spectrogram
    assert (made.window, made.hop, made.bins) == (window, hop, bins)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    hann = np.pad(hann, (bins - window) // 2)
    padded = np.pad(x, bins // 2, mode="reflect")
    frames = np.stack([padded[t : t + bins] * hann for t in range(0, len(x) + 1, hop)])
    power = np.abs(np.fft.rfft(frames)) ** 2

    edges = np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 34)  # HTK's mel scale
    edges = 700 * (10 ** (edges / 2595) - 1)
    frequency = np.linspace(0, 4000, bins // 2 + 1)
    rise = (frequency[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - frequency[:, None]) / (edges[2:] - edges[1:-1])
    mel = np.maximum(0, np.minimum(rise, fall))
    expected = np.log(power @ mel + 1e-6).T

    ours = made(torch.tensor(x, dtype=torch.float32)[None])[0].numpy()
    assert ours.shape == expected.shape == (32, 51)
    np.testing.assert_allclose(ours, expected, atol=2e-3)
    loudest = edges[1:-1][ours.mean(1).argmax()]
    assert abs(loudest - 440) < 100


def test_sound_needs_its_rate():
    with pytest.raises(UserError, match=r"modality\.a\.rate: audio needs its sampling rate in Hz"):
        SpectrogramEncoder(ModalitySpec(name="a", kind="audio"), {}, model="test_vit")
