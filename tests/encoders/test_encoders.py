"""What every encoder of conf/encoder/ promises, found by walking the folder."""

from __future__ import annotations

import pytest
import torch

import tiny

OPTIONS = [(spec.kind, name, o) for name, spec in tiny.SPECS.items() for o in tiny.options(f"encoder/{spec.kind}")]
every_encoder = pytest.mark.parametrize(("kind", "name", "option"), OPTIONS)


def encode(encoder, x):
    with torch.no_grad():
        return encoder(x)


@every_encoder
@pytest.mark.parametrize("pool", ["mean", "none"])
def test_tokens_mask_and_width(kind, name, option, pool):
    encoder = tiny.encoder(name, option=option, pool=pool).eval()
    tokens, mask = encode(encoder, tiny.inputs((name,), 3)[name])
    assert tokens.shape[0] == 3
    assert tokens.shape[2] == encoder.width
    assert mask.shape == tokens.shape[:2]
    assert mask.dtype == torch.bool
    assert mask.any(1).all()
    assert (tokens.shape[1] == 1) == (pool == "mean")
    assert tokens.isfinite().all()


@every_encoder
def test_the_pooled_vector_is_the_mean_of_the_tokens_that_count(kind, name, option):
    if kind == "table":
        pytest.skip("a table's pooled vector is an MLP of all columns")
    x = tiny.inputs((name,), 3)[name]
    pooled, _ = encode(tiny.encoder(name, option=option, pool="mean").eval(), x)
    tokens, mask = encode(tiny.encoder(name, option=option, pool="none").eval(), x)
    for b in range(3):
        torch.testing.assert_close(pooled[b, 0], tokens[b, mask[b]].mean(0), atol=1e-5, rtol=1e-5)


@every_encoder
def test_frozen_takes_no_gradient_and_never_trains(kind, name, option):
    encoder = tiny.encoder(name, option=option, frozen=True)
    encoder.freeze()
    parent = torch.nn.ModuleList([encoder]).train()
    assert not any(m.training for m in encoder.modules())
    assert not any(p.requires_grad for p in encoder.parameters())
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    x = tiny.inputs((name,), 4)[name]
    a, b = parent[0](x)[0], parent[0](x)[0]
    assert torch.equal(a, b)  # no dropout
    assert not a.requires_grad
    assert all(torch.equal(before[k], v) for k, v in encoder.state_dict().items())


@every_encoder
def test_unfrozen_trains(kind, name, option):
    encoder = tiny.encoder(name, option=option)
    encoder.freeze()
    assert encoder.train().training
    assert all(p.requires_grad for p in encoder.parameters())
    assert not encoder.pretrained


@every_encoder
def test_samples_do_not_see_each_other_in_evaluation(kind, name, option):
    encoder = tiny.encoder(name, option=option).eval()
    x = tiny.inputs((name,), 4)[name]
    y = torch.cat([x[:1], tiny.inputs((name,), 4, seed=1)[name][1:]])
    assert torch.equal(encode(encoder, x)[0][0], encode(encoder, y)[0][0])
