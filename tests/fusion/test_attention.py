"""Strategies made of attention, against their equations in NumPy float64, one sample and one head at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from by_hand import (
    CLOSE,
    B,
    D,
    K,
    M,
    attention_by_hand,
    block_by_hand,
    check,
    fused,
    gelu,
    heads_by_hand,
    normal,
    normal_of,
    ragged_tokens_and_mask,
    shaken,
    softmax,
    tokens_and_mask,
)
from crossfade.layers.blocks import sinusoids


@pytest.fixture(params=[tokens_and_mask, ragged_tokens_and_mask], ids=["whole", "ragged"])
def x(request):
    return request.param()


def check_sequence(out, x, expected):
    """All tokens of all modalities, (7, 1, M·K, 8), those that exist counting."""
    seen = x[1].reshape(B, M * K)
    assert np.array_equal(out.mask[:, 0].numpy(), seen)
    assert torch.equal(out.weight, torch.ones(B, 1))
    wanted = np.where(seen[..., None], np.reshape(expected, (B, M * K, D)), 0.0)
    np.testing.assert_allclose(out.tokens[:, 0].numpy(), wanted, **CLOSE)


def own(p, name, x, b):
    """A layer that each modality has of its own, on one sample: (M, K, D)."""
    return np.einsum("mkd,med->mke", x[0][b], p[f"{name}.weight"]) + p[f"{name}.bias"][:, None]


@pytest.mark.parametrize("heads", [1, 4])
def test_attention(x, heads):
    made, p = shaken("attention", heads=heads)
    assert made.length == M * K
    expected = []
    for b in range(B):
        y = (x[0][b] + p["identity"]).reshape(M * K, D)
        seen = x[1][b].reshape(-1)
        expected.append(y + attention_by_hand(normal_of(p, "norm")(y), seen, p, "attention", heads))
    check_sequence(fused(made, x), x, expected)


def test_early_is_the_sequence_itself(x):
    made, p = shaken("early")
    assert made.length == M * K
    check_sequence(fused(made, x), x, x[0] + p["identity"])


def test_missing_modalities_are_learned_tokens(x):
    made, p = shaken("missing")
    out = fused(made, x)
    expected = np.where(x[1][..., None], x[0] + p["identity"], p["absent"])
    some = np.repeat(x[1].any(1, keepdims=True), M, 1)
    assert np.array_equal(out.mask[:, 0].numpy(), some.reshape(B, M * K))
    expected = np.where(some[..., None], expected, 0.0).reshape(B, M * K, D)
    np.testing.assert_allclose(out.tokens[:, 0].numpy(), expected, **CLOSE)


@pytest.mark.parametrize("heads", [1, 4])
def test_cross_attention_pair_by_pair(x, heads):
    made, p = shaken("cross_attention", heads=heads)
    expected = []
    nothing = np.zeros((1, D))
    for b in range(B):
        q, k, v = (own(p, name, x, b) for name in ("query", "key", "value"))
        z = x[0][b].copy()
        for m in range(M):
            sources = [j for j in range(M) if j != m and x[1][b, j].any()]
            heard = np.zeros((K, D))
            for j in sources:  # its tokens that exist, and the token of zeros
                keys, values = (np.concatenate([nothing, y[j, x[1][b, j]]]) for y in (k, v))
                heard += heads_by_hand(q[m], keys, values, np.ones(len(keys), bool), heads) / len(sources)
            z[m] += heard @ p["out.weight"][m].T + p["out.bias"][m]
        expected.append(z)
    check_sequence(fused(made, x), x, expected)


@pytest.mark.parametrize("heads", [1, 4])
def test_co_attention_to_all_others(x, heads):
    made, p = shaken("coattention", heads=heads, hidden=5)
    expected = []
    for b in range(B):
        q, k, v = (own(p, name, x, b) for name in ("query", "key", "value"))
        z = np.zeros((M, K, D))
        for m in range(M):
            keys, values = (
                np.concatenate([np.zeros((1, D)), *(y[j, x[1][b, j]] for j in range(M) if j != m)]) for y in (k, v)
            )
            heard = heads_by_hand(q[m], keys, values, np.ones(len(keys), bool), heads)
            y = x[0][b, m] + heard @ p["out.weight"][m].T + p["out.bias"][m]
            inner = gelu(normal(y) @ p["inner.weight"].T + p["inner.bias"])
            z[m] = y + inner @ p["outer.weight"].T + p["outer.bias"]
        expected.append(z)
    check_sequence(fused(made, x), x, expected)


def positions(x, b, y):
    """The mean of y (M, K, D) over the modalities that have each position; NaN where none has."""
    count = x[1][b].sum(0)[:, None]
    total = np.where(x[1][b][..., None], y, 0.0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def test_bottleneck(x):
    made, p = shaken("bottleneck", latents=3, layers=2, heads=2)
    expected = []
    for b in range(B):
        present = [m for m in range(M) if x[1][b, m].any()]
        y, latents = x[0][b] + p["identity"], p["latents"]
        for layer in range(2):
            both = {
                m: block_by_hand(
                    np.concatenate([y[m], latents]), np.append(x[1][b, m], [True] * 3), p, f"blocks.{layer}", 2
                )
                for m in present
            }
            y = np.array([both[m][:K] if m in present else np.zeros((K, D)) for m in range(M)])
            latents = np.mean([both[m][K:] for m in present], 0)
        expected.append(positions(x, b, y))
    check(fused(made, x), np.array(expected))


def look_by_hand(p, name, x, y, seen, heads):
    def layer(part, z):
        return z @ p[f"{name}.{part}.weight"].T + p[f"{name}.{part}.bias"]

    heard = heads_by_hand(layer("query", normal(x)), layer("key", y), layer("value", y), seen, heads)
    return x + layer("out", heard)


def test_perceiver(x):
    made, p = shaken("perceiver", latents=3, layers=2, heads=2)
    expected = []
    for b in range(B):
        y = (x[0][b] + p["identity"] + sinusoids(K, D).double().numpy()).reshape(M * K, D)
        latents = look_by_hand(p, "gather", p["latents"], y, x[1][b].reshape(-1), 2)
        for layer in range(2):
            latents = block_by_hand(latents, np.ones(3, bool), p, f"blocks.{layer}", 2)
        z = look_by_hand(p, "read", p["queries"], normal(latents), np.ones(3, bool), 2)
        expected.append(np.where(x[1][b].any(0)[:, None], z, np.nan))
    check(fused(made, x), np.array(expected))


def test_hierarchical(x):
    made, p = shaken("hierarchical", heads=2)
    expected = np.full((B, K, D), np.nan)
    for b in range(B):
        y = {
            m: block_by_hand(x[0][b, m] + p["identity"][m], x[1][b, m], p, "block", 2)
            for m in range(M)
            if x[1][b, m].any()
        }
        for k in range(K):
            here = [m for m in range(M) if x[1][b, m, k]]
            if here:
                score = [p["score.weight"][0] @ np.tanh(p["inner.weight"] @ y[m][k] + p["inner.bias"]) for m in here]
                expected[b, k] = softmax(score) @ np.array([y[m][k] for m in here])
    check(fused(made, x), expected)
