"""From an encoder's tokens to K: pooled, queried, or placed on a grid."""

from __future__ import annotations

import pytest
import torch

from crossfade.layers.embedding import Embedding
from crossfade.seeding import seeded

D_E, D = 6, 8


def embedding(tokens, placed=False):
    with seeded(0, "embedding"):
        return Embedding(D_E, D, tokens, placed)


def drawn(samples, length, seed=0):
    with seeded(seed, "tokens"):
        return torch.randn(samples, length, D_E), torch.ones(samples, length, dtype=torch.bool)


@pytest.mark.parametrize(("tokens", "placed"), [(1, False), (4, False), (9, True)])
def test_every_token_has_mean_0_and_variance_1(tokens, placed):
    out = embedding(tokens, placed)(*drawn(5, 9))
    assert out.shape == (5, tokens, D)
    torch.testing.assert_close(out.mean(-1), torch.zeros(5, tokens), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(-1, correction=0), torch.ones(5, tokens), atol=1e-3, rtol=0)


def test_a_placed_token_is_its_own_cell_alone():
    of = embedding(9, placed=True)
    tokens, mask = drawn(2, 9)
    other = drawn(2, 9, seed=1)[0]
    other[:, 4] = tokens[:, 4]
    a, b = of(tokens, mask), of(other, mask)
    assert torch.equal(a[:, 4], b[:, 4])
    assert not torch.isclose(a[:, 3], b[:, 3]).any(-1).all()


def test_queries_know_where_a_token_stands():
    of = embedding(4)
    tokens, mask = drawn(2, 9)
    assert not torch.allclose(of(tokens, mask), of(tokens.flip(1), mask), atol=1e-3)


def test_one_token_is_repeated_for_every_query():
    out = embedding(4)(*drawn(3, 1))
    torch.testing.assert_close(out, out[:, :1].expand_as(out))


def test_masked_tokens_do_not_count():
    of = embedding(4)
    tokens, mask = drawn(2, 9)
    mask[:, 6:] = False
    spoiled = tokens.clone()
    spoiled[:, 6:] = 1e6
    assert torch.equal(of(tokens, mask), of(spoiled, mask))
