"""The fixed table: its tokens against the equation, and that the embedding leaves them alone."""

from __future__ import annotations

import math

import pytest
import torch

import tiny
from crossfade.build import build_data, build_model
from crossfade.config import compose
from crossfade.encoders.fixed import FixedTable
from crossfade.errors import UserError
from crossfade.layers.embedding import Embedding

NAN = float("nan")
D = 8


def fixed(cardinality=(0, 3), pool="mean"):
    return FixedTable(tiny.SPECS["table"], {"cardinality": list(cardinality)}, hidden=D, pool=pool).eval()


def coordinates(tokens):
    """Along q_0 … q_{D−2}, by the cosines written out."""
    q = [[math.sqrt(2 / D) * math.cos(math.pi * (i + 0.5) * k / D) for i in range(D)] for k in range(1, D)]
    return tokens @ torch.tensor(q).T / math.sqrt(D)


def test_tokens_by_hand_with_missing_entries_and_an_outlier():
    x = torch.tensor([[1.5, 2.0], [-40.0, 0.0], [NAN, NAN]])
    tokens, mask = fixed()(x)
    root = 10 * math.sqrt(2)
    u = torch.tensor([[1.5, 0, 0, 1], [-10.0, 1, 0, 0], [0, 0, 0, 0]]) / root
    rest = (1 - (u**2).sum(1, keepdim=True)).sqrt()
    expected = torch.cat([rest, u, torch.zeros(3, D - 6)], 1)
    torch.testing.assert_close(coordinates(tokens[:, 0]), expected, atol=1e-6, rtol=0)
    assert mask.shape == (3, 1)


def test_a_token_per_column_has_its_column_alone():
    tokens, _ = fixed(pool="none")(torch.tensor([[2.0, 1.0]]))
    found = coordinates(tokens[0])
    torch.testing.assert_close(found[0, 1:5], torch.tensor([0.2, 0, 0, 0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(found[1, 1:5], torch.tensor([0, 0, 0.1, 0]), atol=1e-6, rtol=0)


def test_the_embedding_changes_nothing():
    tokens, mask = fixed()(torch.tensor([[1.5, 2.0], [-10.0, 1.0]]))
    embedding = Embedding(D, D, 1, projected=False)
    embedding.standardise(torch.randn(20, D))
    torch.testing.assert_close(embedding(tokens, mask), tokens, atol=1e-4, rtol=0)
    assert not list(embedding.parameters())


def test_too_many_columns_for_the_width_are_refused():
    with pytest.raises(UserError, match=r"9 numbers and indicators.*width=11"):
        fixed((0, 8))


def test_another_width_than_the_run_s_is_refused():
    config = compose("experiment=known_alpha", "data.source.samples=60", "encoder.table.hidden=32")
    data = build_data(config)
    data.prepare()
    with pytest.raises(UserError, match="must be the run's width, 16"):
        build_model(config, data.fitted)
