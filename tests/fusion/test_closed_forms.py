"""The plain strategies against their equations, written a second time in NumPy float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tiny
from by_hand import MODALITIES, B, D, K, M, check, fused, ragged_tokens_and_mask, strategy, tokens_and_mask
from crossfade.config.alpha import simplex_point
from crossfade.errors import UserError


@pytest.fixture
def x():
    return tokens_and_mask()


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


@pytest.mark.parametrize("alpha", [0.3, "lerned", [0.2, 0.3, 0.5], {"camara": 1.0}])
def test_an_alpha_that_says_not_which_modality_is_no_even_one(alpha):
    with pytest.raises(UserError, match="alpha="):
        strategy("weighted", alpha=alpha)


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


@pytest.mark.parametrize("name", tiny.options("fusion"))
def test_what_stands_in_a_masked_token_is_not_read(name):
    """Of an absent modality, and of one that lacks a single token."""
    made = strategy(name)
    tokens, mask = ragged_tokens_and_mask()
    clean, dirty = fused(made, (tokens, mask)), fused(made, (np.where(mask[..., None], tokens, 3.0), mask))
    assert all(torch.equal(a, b) for a, b in zip(clean, dirty, strict=True))
    assert not clean.tokens[~clean.mask].any()


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
