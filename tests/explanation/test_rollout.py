"""Attention rollout: in plain loops, and what encoders and core show of their attention against their own weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tiny
from crossfade.batch import Batch
from crossfade.explanation.rollout import attention_rollout, rollout
from crossfade.layers.blocks import SelfAttention


def attentions(samples, layers, tokens, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(tokens), size=(samples, layers, tokens))


def batch_of(modalities, samples=4, presence=None):
    inputs = tiny.inputs(modalities, samples)
    if presence is None:
        presence = torch.ones(samples, len(modalities), dtype=torch.bool)
    return Batch(inputs, presence, {}, [str(i) for i in range(samples)])


def test_it_is_the_product_of_half_attention_and_half_identity():
    layers = attentions(3, 4, 5)
    found = rollout(torch.tensor(layers)).numpy()
    for sample in range(3):
        wanted = np.eye(5)
        for layer in layers[sample]:
            step = [
                [sum((0.5 * layer[i, k] + 0.5 * (i == k)) * wanted[k, j] for k in range(5)) for j in range(5)]
                for i in range(5)
            ]
            wanted = np.array(step)
        np.testing.assert_allclose(found[sample], wanted, atol=1e-12)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-12)


@pytest.mark.parametrize("layers", [1, 3])
def test_of_even_attention_it_is_even_but_for_what_a_token_keeps_of_itself(layers):
    even = torch.full((2, layers, 6, 6), 1 / 6, dtype=torch.float64)
    found, own = rollout(even), 0.5**layers
    torch.testing.assert_close(found, (own * torch.eye(6) + (1 - own) / 6).double().expand(2, 6, 6))
    torch.testing.assert_close(found.mean(1), torch.full((2, 6), 1 / 6, dtype=torch.float64))


def test_attention_of_which_each_token_looks_at_the_first_ends_there():
    first = torch.zeros(1, 30, 4, 4)
    first[..., 0] = 1
    torch.testing.assert_close(rollout(first)[0, :, 0], torch.ones(4))


@pytest.mark.parametrize("rotary", [False, True])
def test_the_weights_that_a_layer_shows_are_those_that_it_uses(rotary):
    torch.manual_seed(0)
    layer = SelfAttention(8, 1, rotary=rotary).eval()
    x, mask = torch.randn(3, 5, 8), torch.ones(3, 5, dtype=torch.bool)
    mask[1, 3:] = False
    weights, value = layer.weights(x, mask), layer.qkv(x)[..., 16:]
    torch.testing.assert_close(layer.out(weights @ value), layer(x, mask))
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 5))
    assert (weights[1, :, 3:] == 0).all()


def test_a_text_encoder_shows_the_attention_of_its_first_layer_as_its_weights_have_it():
    encoder = tiny.encoder("note", layers=2).eval()
    x = tiny.inputs(("note",), 3)["note"]
    found = encoder.attention(x)
    body = encoder.body
    states = body.embeddings(input_ids=x)
    part = body.encoder.layer[0].attention.self
    q, k = (m(states).unflatten(-1, (2, 8)).transpose(1, 2) for m in (part.query, part.key))
    score = (q @ k.transpose(-1, -2) / np.sqrt(8)).masked_fill((x == 0)[:, None, None, :], -1e9)
    torch.testing.assert_close(found.layers[:, 0], score.softmax(-1).mean(1))
    assert found.layers.shape == (3, 2, 8, 8)
    torch.testing.assert_close(found.share, (x != 0) / 6)
    before = encoder(x)[0]
    torch.testing.assert_close(encoder(x)[0], before, atol=0, rtol=0)  # and computes as before


def test_a_vit_shows_the_attention_of_its_first_layer_as_its_weights_have_it():
    encoder = tiny.encoder("camera").eval()
    x = tiny.inputs(("camera",), 2)["camera"]
    before, fused = encoder(x)[0], [block.attn.fused_attn for block in encoder.body.blocks]
    found, body = encoder.attention(x), encoder.body
    states = body.norm_pre(body._pos_embed(body.patch_embed(x)))
    part = body.blocks[0].attn
    q, k, _ = (
        part.qkv(body.blocks[0].norm1(states)).unflatten(-1, (3, part.num_heads, -1)).movedim(2, 0).transpose(2, 3)
    )
    wanted = (part.q_norm(q) * part.scale @ part.k_norm(k).transpose(-1, -2)).softmax(-1).mean(1)
    torch.testing.assert_close(found.layers[:, 0], wanted, atol=1e-5, rtol=1e-4)
    assert found.layers.shape[1] == len(body.blocks)
    torch.testing.assert_close(found.share[:, found.prefix :].sum(1), torch.ones(2))
    assert (found.share[:, : found.prefix] == 0).all()
    torch.testing.assert_close(encoder(x)[0], before, atol=0, rtol=0)
    assert [block.attn.fused_attn for block in encoder.body.blocks] == fused


@pytest.mark.parametrize(("name", "option", "places"), [("power", "patch", 3), ("audio", "logmel", None)])
def test_in_time_each_patch_is_a_place_and_what_was_not_observed_has_no_share(name, option, places):
    encoder = tiny.encoder(name, option=option).eval()
    x = tiny.inputs((name,), 2)[name]
    if name == "power":
        x[1, 8:] = float("nan")  # the second and third patch
    found = encoder.attention(x)
    torch.testing.assert_close(found.layers.sum(-1), torch.ones(found.layers.shape[:-1]))
    torch.testing.assert_close(found.share.sum(1), torch.ones(2))
    if places:
        assert found.layers.shape[2:] == (places, places)
        assert (found.layers[1, :, :, 1:] == 0).all()
        assert found.share[1].tolist() == [1, 0, 0]


def test_where_there_is_attention_each_sample_has_shares_and_elsewhere_a_reason():
    modalities = ("camera", "note", "table")
    presence = torch.tensor([[True, True, True], [True, False, True], [False, True, True], [True, True, False]])
    batch = batch_of(modalities, presence=presence)
    batch.inputs["camera"][2] = float("nan")
    rolled = attention_rollout(tiny.model(modalities, fusion="early"), batch)
    assert set(rolled.places) == {"camera", "note"}
    assert "TableEncoder" in rolled.lacking["table"]
    torch.testing.assert_close(rolled.places["note"].sum(1), torch.ones(4))
    assert (rolled.places["note"][:, 6:] == 0).all()  # padding
    assert rolled.places["camera"].isfinite().all()
    assert (rolled.core >= 0).all()
    assert (rolled.core[~presence] == 0).all()  # three fused tokens, one a modality
    assert (rolled.core[presence] > 0).all()
    assert rolled.tokens == list(modalities)


@pytest.mark.parametrize(
    ("fusion", "core", "why"),
    [
        ("weighted", "transformer", "one token"),
        ("late", "transformer", "each modality alone"),
        ("early", "none", "NoCore"),
    ],
)
def test_a_core_without_a_choice_says_why(fusion, core, why):
    modalities = ("camera", "note")
    rolled = attention_rollout(tiny.model(modalities, fusion=fusion, core=core), batch_of(modalities))
    assert rolled.core is None
    assert why in rolled.lacking["core"]


def test_convolutions_have_no_attention_and_their_output_is_as_before():
    encoder = tiny.encoder("camera", model="test_resnet").eval()
    assert encoder.attention(tiny.inputs(("camera",), 2)["camera"]) is None


def test_the_core_s_share_is_that_of_a_hand_made_product():
    """One block: CLS is made of ½ of itself and ½ of what it looks at."""
    model = tiny.model(("camera", "note", "table"), fusion="early", core="transformer")
    batch = batch_of(("camera", "note", "table"))
    tokens, mask = model.embed(batch.inputs, batch.presence)
    fused = model.fusion(tokens, mask)
    layers = model.core.attention(fused.tokens[:, 0], fused.mask[:, 0]).detach().double().numpy()
    wanted = np.eye(4)
    for layer in layers.swapaxes(0, 1):
        wanted = (0.5 * layer + 0.5 * np.eye(4)) @ wanted
    np.testing.assert_allclose(attention_rollout(model, batch).core.numpy(), wanted[:, 0, 1:], atol=1e-6)


def test_tokens_that_are_no_modality_s_own_are_numbered():
    """Three positions of three modalities, fused position by position, and handed on one after the other."""
    modalities = ("camera", "note", "table")
    tokens = {name: attention_rollout(tiny.model(modalities, fusion=name, tokens=3), batch_of(modalities)).tokens
              for name in ("mean", "early")}  # fmt: skip
    assert tokens["mean"] == ["token 0", "token 1", "token 2"]
    assert tokens["early"] == [f"{name} {k}" for name in modalities for k in range(3)]
