"""The core against torch.nn's own Transformer, and the properties of its positions and masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import tiny
from crossfade.layers.blocks import FeedForward, SelfAttention, rotate, sinusoids

D, L, HEADS = 16, 5, 4


def core(**fields):
    torch.manual_seed(0)
    return tiny.made(tiny.part("core", "transformer", **{"heads": HEADS, **fields}), width=D, length=L).eval()


def masked_tokens(samples=6):
    torch.manual_seed(1)
    mask = torch.rand(samples, L) > 0.4
    mask[0] = True
    mask[1] = False  # nothing but the CLS token
    return torch.randn(samples, L, D), mask


def torchs_own(h, norm):
    """torch.nn.TransformerEncoder with the weights of our core."""
    layer = nn.TransformerEncoderLayer(D, HEADS, 2 * D, 0.0, "gelu", batch_first=True, norm_first=norm == "pre")
    other = nn.TransformerEncoder(layer, len(h.blocks), norm=nn.LayerNorm(D), enable_nested_tensor=False)
    for mine, theirs in zip(h.blocks, other.layers, strict=True):
        pairs = {
            theirs.self_attn.in_proj_weight: mine.attention.qkv.weight,
            theirs.self_attn.in_proj_bias: mine.attention.qkv.bias,
        }
        modules = {
            theirs.self_attn.out_proj: mine.attention.out,
            theirs.linear1: mine.mlp.inner,
            theirs.linear2: mine.mlp.outer,
            theirs.norm1: mine.norm1,
            theirs.norm2: mine.norm2,
        }
        for a, b in modules.items():
            pairs |= {a.weight: b.weight, a.bias: b.bias}
        with torch.no_grad():
            for a, b in pairs.items():
                a.copy_(b)
    other.norm.load_state_dict(h.norm.state_dict())
    return other.train()  # its fast path in evaluation zeroes masked slots; without dropout both are the same


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("position", ["none", "learned", "sinusoidal"])
def test_equals_torchs_own_encoder(norm, position):
    h = core(norm=norm, position=position)
    with torch.no_grad():
        for p in h.parameters():  # also gains and shifts that are not the neutral ones
            p.add_(0.1 * torch.randn_like(p))
    tokens, mask = masked_tokens()
    shift = 0 if h.position is None else h.position
    x = torch.cat([h.cls.expand(len(tokens), 1, -1), tokens + shift], 1)
    hidden = torch.cat([torch.zeros(len(mask), 1, dtype=torch.bool), ~mask], 1)
    expected = torchs_own(h, norm)(x, src_key_padding_mask=hidden)
    out = h(tokens, mask)
    torch.testing.assert_close(out.pooled, expected[:, 0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out.tokens[mask], expected[:, 1:][mask], atol=1e-5, rtol=1e-5)
    assert torch.equal(out.mask, mask)


@pytest.mark.parametrize("position", ["none", "learned", "sinusoidal", "rotary"])
def test_masked_tokens_change_no_bit(position):
    h = core(position=position)
    tokens, mask = masked_tokens()
    other = torch.where(mask.unsqueeze(-1), tokens, torch.full_like(tokens, 1e6))
    assert torch.equal(h(tokens, mask).pooled, h(other, mask).pooled)
    assert h(tokens, mask).pooled.isfinite().all()


@pytest.mark.parametrize("position", ["learned", "sinusoidal", "rotary"])
def test_positions_tell_the_order_and_none_does_not(position):
    tokens, order = torch.randn(2, L, D), torch.tensor([4, 2, 0, 1, 3])
    everything = torch.ones(2, L, dtype=torch.bool)
    placed, free = core(position=position), core(position="none")
    assert not torch.allclose(placed(tokens, everything).pooled, placed(tokens[:, order], everything).pooled, atol=1e-4)
    a, b = free(tokens, everything).pooled, free(tokens[:, order], everything).pooled
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_rotary_products_depend_on_the_distance_alone():
    torch.manual_seed(0)
    q, k = torch.randn(8), torch.randn(8)
    turned_q, turned_k = rotate(q.expand(12, 8)).double(), rotate(k.expand(12, 8)).double()
    score = (turned_q @ turned_k.T).numpy()  # (12, 12)
    for distance in range(-11, 12):
        along = np.diagonal(score, distance)
        np.testing.assert_allclose(along, along[0], atol=1e-4)
    assert abs(score[0, 0] - float(q @ k)) < 1e-5
    assert np.ptp(score) > 0.5
    torch.testing.assert_close(turned_q.norm(dim=-1), q.double().norm().expand(12), atol=1e-5, rtol=1e-5)


def test_rotary_turns_by_the_published_angles():
    x = torch.zeros(4, 4)
    x[:, 0] = 1.0  # pair (0, 2) turns by l, pair (1, 3) by l/100
    x[:, 1] = 1.0
    at = np.arange(4)
    expected = np.stack([np.cos(at), np.cos(at / 100), np.sin(at), np.sin(at / 100)], 1)
    np.testing.assert_allclose(rotate(x).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("width", [6, 7])
def test_sinusoids(width):
    table = sinusoids(9, width).numpy()
    assert table.shape == (9, width)
    for position in range(9):
        for column in range(width):
            angle = position / 10000 ** ((column - column % 2) / width)
            expected = np.cos(angle) if column % 2 else np.sin(angle)
            assert table[position, column] == pytest.approx(expected, abs=1e-5)


def test_swiglu():
    torch.manual_seed(0)
    layer = FeedForward(6, 10, 0.0, "swiglu")
    x = np.random.default_rng(0).normal(size=(3, 6))
    inner, outer = layer.inner, layer.outer
    a, b = np.split(x @ inner.weight.detach().double().numpy().T + inner.bias.detach().double().numpy(), 2, axis=1)
    hidden = a / (1 + np.exp(-a)) * b
    expected = hidden @ outer.weight.detach().double().numpy().T + outer.bias.detach().double().numpy()
    np.testing.assert_allclose(layer(torch.tensor(x).float()).detach().numpy(), expected, atol=1e-5)


def test_attention_ignores_other_samples():
    torch.manual_seed(0)
    layer = SelfAttention(D, HEADS).eval()
    x, mask = torch.randn(2, L, D), torch.ones(2, L, dtype=torch.bool)
    other = torch.cat([x[:1], torch.randn(1, L, D)])
    assert torch.equal(layer(x, mask)[0], layer(other, mask)[0])


def test_dropout_acts_in_training_only():
    h = core(dropout=0.5)
    tokens, mask = masked_tokens()
    assert torch.equal(h(tokens, mask).pooled, h(tokens, mask).pooled)
    h.train()
    assert not torch.equal(h(tokens, mask).pooled, h(tokens, mask).pooled)


def test_no_core_is_the_mean_of_what_counts():
    h = tiny.made(tiny.part("core", "none"), width=D, length=L)
    tokens, mask = masked_tokens()
    out = h(tokens, mask)
    for b in range(len(tokens)):
        expected = tokens[b, mask[b]].mean(0) if mask[b].any() else torch.zeros(D)
        torch.testing.assert_close(out.pooled[b], expected)
    assert torch.equal(out.tokens, tokens)


def test_the_largest_of_what_counts():
    h = tiny.made(tiny.part("core", "largest"), width=D, length=L)
    tokens, mask = masked_tokens()
    out = h(tokens, mask)
    for b in range(len(tokens)):
        expected = tokens[b, mask[b]].max(0).values if mask[b].any() else torch.zeros(D)
        torch.testing.assert_close(out.pooled[b], expected)
