"""Each strategy against its equation, written a second time in NumPy float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tiny
from crossfade.config.alpha import simplex_point

MODALITIES = ("camera", "note", "table")
B, M, K, D = 7, 3, 2, 8
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture
def x():
    """Tokens (7, 3, 2, 8), one sample per presence pattern; zeros where masked, as FusionModel gives them."""
    mask = tiny.patterns(M).unsqueeze(-1).expand(B, M, K).numpy()
    values = np.random.default_rng(0).normal(size=(B, M, K, D)).round(2)
    return np.where(mask[..., None], values, 0.0), mask


def strategy(name, width=D, tokens=K, **fields):
    torch.manual_seed(0)
    made = tiny.made(tiny.part("fusion", name, **fields), modalities=MODALITIES, width=width, tokens=tokens)
    return made.eval()


def fused(made, x):
    with torch.no_grad():
        return made(torch.tensor(x[0], dtype=torch.float32), torch.tensor(x[1]))


def check(out, expected):
    """One branch with these tokens, each counting, since every sample has one modality at least."""
    assert out.mask.all()
    assert torch.equal(out.weight, torch.ones(B, 1))
    np.testing.assert_allclose(out.tokens.squeeze(1).numpy(), expected, **CLOSE)


def weighted_by_hand(x, alpha):
    """z = Σ α_m x_m / Σ_{m present} α_m, sample by sample; even over the present where that sum is 0."""
    out = np.zeros((B, K, D))
    for b in range(B):
        present = [m for m in range(M) if x[1][b, m, 0]]
        total = sum(alpha[m] for m in present)
        for m in present:
            out[b] += (alpha[m] / total if total > 0 else 1 / len(present)) * x[0][b, m]
    return out


@pytest.mark.parametrize(
    ("given", "point"),
    [
        (None, [1 / 3, 1 / 3, 1 / 3]),
        (0.3, [0.3, 0.35, 0.35]),  # a number weighs the first modality; the rest is shared evenly
        (0.0, [0.0, 0.5, 0.5]),
        (1.0, [1.0, 0.0, 0.0]),  # note and table alone: all present have weight 0, so they share evenly
        ({"camera": 0.2, "note": 0.5, "table": 0.3}, [0.2, 0.5, 0.3]),
        ({"table": 1.0}, [0.0, 0.0, 1.0]),
    ],
)
def test_weighted(x, given, point):
    made = strategy("weighted", alpha=simplex_point(given, MODALITIES))
    np.testing.assert_allclose(made.alpha.numpy(), point, atol=1e-7)
    check(fused(made, x), weighted_by_hand(x, point))


def test_weighted_of_two_is_the_crossfade():
    made = tiny.made(
        tiny.part("fusion", "weighted", alpha=simplex_point(0.3, ["a", "b"])), modalities=("a", "b"), width=2, tokens=1
    )
    tokens = torch.tensor([[[[1.0, 0.0]], [[0.0, 10.0]]]])
    out = made(tokens, torch.ones(1, 2, 1, dtype=torch.bool)).tokens
    torch.testing.assert_close(out.flatten(), torch.tensor([0.3, 7.0]))


def test_weighted_learned(x):
    made = strategy("weighted", alpha="learned")
    torch.testing.assert_close(made.alpha, torch.full((3,), 1 / 3))
    theta = np.array([0.5, -1.0, 2.0])
    with torch.no_grad():
        made.theta.copy_(torch.tensor(theta))
    check(fused(made, x), weighted_by_hand(x, np.exp(theta) / np.exp(theta).sum()))


def test_sum(x):
    check(fused(strategy("sum"), x), x[0].sum(1))


def test_mean(x):
    check(fused(strategy("mean"), x), x[0].sum(1) / x[1].sum(1)[..., None])


def test_max(x):
    check(fused(strategy("max"), x), np.where(x[1][..., None], x[0], -np.inf).max(1))


def test_product(x):
    check(fused(strategy("product"), x), np.where(x[1][..., None], x[0], 1.0).prod(1))


def test_concat(x):
    made = strategy("concat")
    with torch.no_grad():
        made.absent.normal_()
    weight, bias = (p.detach().double().numpy() for p in (made.project.weight, made.project.bias))
    absent = made.absent.detach().double().numpy()
    filled = np.where(x[1][..., None], x[0], absent)
    expected = np.stack([[weight @ np.concatenate(filled[b, :, k]) + bias for k in range(K)] for b in range(B)])
    check(fused(made, x), expected)


def attention_by_hand(y, seen, qkv, out, heads):
    """Multi-head attention of one sample (L, D) over the tokens that are seen, head by head."""
    size = y.shape[1] // heads
    q, k, v = np.split(y @ qkv[0].T + qkv[1], 3, axis=1)
    parts = []
    for h in range(heads):
        of = slice(h * size, (h + 1) * size)
        score = q[:, of] @ k[:, of].T / np.sqrt(size)
        share = np.where(seen, np.exp(score), 0.0)
        parts.append(share / share.sum(1, keepdims=True) @ v[:, of])
    return np.concatenate(parts, 1) @ out[0].T + out[1]


@pytest.mark.parametrize("heads", [1, 4])
def test_attention(x, heads):
    made = strategy("attention", heads=heads)
    with torch.no_grad():  # a gain and shift that are not the neutral ones
        made.norm.weight.normal_(), made.norm.bias.normal_()
    p = {name: value.detach().double().numpy() for name, value in made.named_parameters()}
    out = fused(made, x)
    assert made.length == M * K
    for b in range(B):
        seen = x[1][b].reshape(-1)
        y = (x[0][b] + p["identity"]).reshape(M * K, D)
        normal = (y - y.mean(1, keepdims=True)) / np.sqrt(y.var(1, keepdims=True) + 1e-5)
        normal = normal * p["norm.weight"] + p["norm.bias"]
        qkv = p["attention.qkv.weight"], p["attention.qkv.bias"]
        z = y + attention_by_hand(normal, seen, qkv, (p["attention.out.weight"], p["attention.out.bias"]), heads)
        np.testing.assert_allclose(out.tokens[b, 0].numpy(), np.where(seen[:, None], z, 0.0), **CLOSE)
        assert out.mask[b, 0].tolist() == seen.tolist()


def test_late_averages_the_decisions_of_the_present():
    modalities = ("camera", "note", "table")
    model = tiny.model(modalities, "late", tokens=1)
    presence = tiny.patterns(3)
    with torch.no_grad():
        out = model(tiny.inputs(modalities, 7), presence)
        tokens, _ = model.embed(tiny.inputs(modalities, 7), presence)
        alone = []  # each modality's own decision, (B, C) per target
        for m in range(3):
            z = tokens[:, m] + model.fusion.identity[m]
            representation = model.core(z, torch.ones(7, 1, dtype=torch.bool))
            alone.append({name: head(representation).double().numpy() for name, head in model.targets.items()})
    weight = presence.double().numpy() / presence.sum(1, keepdim=True).double().numpy()

    def mixed(name, prediction):
        return sum(weight[:, m, None] * prediction(alone[m][name]) for m in range(3))

    def softmax(o):
        return np.exp(o) / np.exp(o).sum(-1, keepdims=True)

    def sigmoid(o):
        return 1 / (1 + np.exp(-o))

    given = {name: o.double().numpy() for name, o in out.items()}
    np.testing.assert_allclose(softmax(given["kind"]), mixed("kind", softmax), **CLOSE)
    np.testing.assert_allclose(sigmoid(given["signs"]), mixed("signs", sigmoid), **CLOSE)
    np.testing.assert_allclose(given["size"], mixed("size", lambda o: o), **CLOSE)


def test_a_token_masked_everywhere_stays_masked_and_zero():
    """A position that no modality has (a short series) must not become a token out of nothing."""
    mask = torch.ones(1, M, K, dtype=torch.bool)
    mask[:, :, 1] = False
    tokens = torch.randn(1, M, K, D).masked_fill(~mask.unsqueeze(-1), 0.0)
    for name in tiny.options("fusion"):
        out = strategy(name)(tokens, mask)
        assert not out.tokens[~out.mask].any(), name
        places = out.mask.reshape(-1, K)  # of each modality where they are kept apart
        assert places[:, 0].all(), name
        assert not places[:, 1].any(), name
        assert len(places) in (1, M), name
