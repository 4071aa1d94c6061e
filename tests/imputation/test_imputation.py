"""Imputation by itself: each method's numbers against an independent computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tiny
from crossfade.imputation.base import NoImputation
from crossfade.seeding import seeded

METHODS = tiny.options("imputation")
NAMES, WIDTH, TOKENS = ("a", "b", "c"), 8, 2
every_method = pytest.mark.parametrize("name", METHODS)


def method(name, modalities=NAMES, **fields):
    with seeded(0, "imputation"):
        part = tiny.part("imputation", name, **fields)
        made = tiny.made(part, modalities=modalities, width=WIDTH, tokens=TOKENS)
    if name == "mean":
        made.observe(*known(seed=5))
    return made


def known(samples=9, seed=0, modalities=3):
    """Tokens, NaN where absent, and their mask; the last sample has nothing."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(samples, modalities, TOKENS, WIDTH, generator=generator)
    presence = torch.rand(samples, modalities, generator=generator) < 0.6
    presence[0], presence[-1] = True, False
    mask = presence[:, :, None].expand(-1, -1, TOKENS)
    return tokens.masked_fill(~mask.unsqueeze(-1), float("nan")), mask


def as_array(tensor):
    return tensor.detach().numpy().astype(np.float64)


@every_method
def test_what_is_there_keeps_every_bit_and_what_is_absent_gets_a_finite_value(name):
    tokens, mask = known()
    filled, there = method(name)(tokens, mask)
    assert torch.equal(filled[mask], tokens[mask])
    if name == "none":
        assert there is mask
        assert filled is tokens
    else:
        assert there.all()
        assert filled.isfinite().all()


@every_method
def test_values_do_not_depend_on_neighbours_and_vmap_gives_the_same(name):
    made, (tokens, mask) = method(name), known()
    tokens = tokens.nan_to_num(3.0)
    whole, _ = made(tokens, mask)
    alone, _ = made(tokens[3:4], mask[3:4])
    torch.testing.assert_close(alone[0], whole[3])
    stacked = torch.vmap(lambda x, m: made(x, m)[0])(torch.stack([tokens, tokens.flip(0)]), torch.stack([mask] * 2))
    torch.testing.assert_close(stacked[0], whole)


def test_zeros():
    tokens, mask = known()
    filled, _ = method("zeros")(tokens, mask)
    assert not filled[~mask].any()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_mean_is_the_moving_mean_of_present_rows_weighed_by_their_number(momentum):
    made = method("mean", momentum=momentum)
    made.total.zero_()
    made.count.zero_()
    total, count = np.zeros((3, TOKENS, WIDTH)), np.zeros(3)
    for seed, samples in enumerate((9, 4, 13)):
        tokens, mask = known(samples, seed)
        made.observe(tokens, mask)
        present = as_array(mask[:, :, 0])
        total = momentum * total + np.nansum(as_array(tokens), 0)
        count = momentum * count + present.sum(0)
    tokens, mask = known(seed=7)
    filled, _ = made(tokens, mask)
    wanted = np.broadcast_to(total / count[:, None, None], filled.shape)
    np.testing.assert_allclose(as_array(filled)[~mask], wanted[~mask.numpy()], atol=1e-6)


def test_the_mean_of_a_modality_never_seen_is_zero_and_observing_gives_no_gradient():
    made = method("mean")
    made.total.zero_()
    made.count.zero_()
    tokens, mask = known()
    tokens.requires_grad_()
    mask = mask & torch.tensor([True, False, True])[:, None]
    made.observe(tokens, mask)
    filled, _ = made(tokens, mask)
    assert not filled[:, 1].any()
    assert not made.total.requires_grad
    assert filled[-1, 0].any()


def test_a_learned_token_stands_where_a_modality_is_absent_and_learns_there_alone():
    made, (tokens, mask) = method("learned"), known()
    filled, _ = made(tokens, mask)
    weight = torch.arange(9.0)[:, None, None, None]
    (weight * filled).sum().backward()
    wanted = (weight * (~mask).unsqueeze(-1)).sum(0).expand(-1, -1, WIDTH)
    torch.testing.assert_close(made.absent.grad, wanted)
    assert torch.equal(filled[-1], made.absent)


def reconstructed(made, tokens, mask):
    """v, in NumPy and float64, sample by sample."""
    p = {name: as_array(value) for name, value in made.named_parameters()}

    def layer(name, m, x):
        return p[f"{name}.weight"][m] @ x + p[f"{name}.bias"][m]

    def gelu(x):
        from scipy.special import erf

        return 0.5 * x * (1 + erf(x / np.sqrt(2)))

    out = np.zeros(tokens.shape)
    for i, here in enumerate(as_array(mask[:, :, 0]).astype(bool)):
        read = [[layer("read", j, as_array(tokens[i, j, k])) for j in range(3) if here[j]] for k in range(TOKENS)]
        seen = [np.mean(rows, 0) if rows else np.zeros(p["read.bias"].shape[1]) for rows in read]
        for m in range(3):
            for k in range(TOKENS):
                inner = gelu(layer("mix", m, seen[k] + np.mean(seen, 0)) + p["place"][m, k])
                raw = layer("write", m, inner)
                out[i, m, k] = (raw - raw.mean()) / np.sqrt(raw.var() + 1e-5)
    return out


def test_a_reconstruction_is_the_formula():
    made, (tokens, mask) = method("reconstruction"), known()
    filled, _ = made(tokens, mask)
    wanted = reconstructed(made, tokens, mask)
    absent = ~mask.numpy()
    np.testing.assert_allclose(as_array(filled)[absent], wanted[absent], atol=1e-5)


def test_its_loss_is_the_mean_square_over_what_was_hidden_and_reads_no_absent_value():
    made, (tokens, mask) = method("reconstruction", weight=0.7, rate=0.4), known(40)
    loss = torch.tensor(2.0)
    torch.manual_seed(3)
    found = made.objective(loss, tokens, mask)
    torch.manual_seed(3)
    hidden = (torch.rand(40, 3) < 0.4)[:, :, None]
    kept, wanted = mask & ~hidden, (mask & hidden).numpy()
    gap = (reconstructed(made, tokens, kept) - as_array(tokens))[wanted]
    assert 0 < wanted.sum() < mask.sum()
    assert found.item() == pytest.approx(2.0 + 0.7 * np.square(gap).mean(), rel=1e-5)
    nothing = torch.zeros_like(mask)
    assert made.objective(loss, tokens, nothing).item() == 2.0


def test_what_is_to_be_reconstructed_gets_no_gradient_and_what_it_is_told_from_does():
    made, (tokens, _) = method("reconstruction"), known(6)
    tokens = tokens.nan_to_num(0.5).requires_grad_()
    mask = torch.ones(6, 3, TOKENS, dtype=torch.bool)
    torch.manual_seed(0)
    made.objective(torch.zeros(()), tokens, mask).backward()
    torch.manual_seed(0)
    hidden = torch.rand(6, 3) < 0.5
    assert hidden.any()
    assert not tokens.grad[hidden].any()
    some_hidden = hidden.any(1, keepdim=True) & ~hidden
    assert tokens.grad[some_hidden].flatten(1).any(1).all()


def test_it_learns_what_one_modality_tells_of_another_and_no_more():
    """b = a turned, c is noise: b can be told from a, c from nothing (its loss stays that of the mean, 1)."""
    made = method("reconstruction", hidden=64)
    generator = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=generator))[0]

    def drawn(samples):
        a, c = torch.randn(2, samples, TOKENS, WIDTH, generator=generator)
        tokens = torch.stack([a, a @ turn, c], 1)
        return torch.nn.functional.layer_norm(tokens, (WIDTH,)), torch.ones(samples, 3, TOKENS, dtype=torch.bool)

    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-2)
    torch.manual_seed(0)
    for _ in range(300):
        optimizer.zero_grad()
        made.objective(torch.zeros(()), *drawn(128)).backward()
        optimizer.step()
    tokens, mask = drawn(500)
    without = mask & torch.tensor([True, False, False])[:, None]
    with torch.no_grad():
        error = (made(tokens, without)[0] - tokens).square().mean((0, 2, 3))
    assert error[0] == 0
    assert error[1] < 0.3
    assert error[2] > 0.9


def test_masking_costs_the_training_step_nothing():
    made, (tokens, mask) = NoImputation(), known()
    loss = torch.ones((), requires_grad=True)
    state = torch.get_rng_state()
    made.observe(tokens, mask)
    assert made.objective(loss, tokens, mask) is loss
    assert torch.equal(state, torch.get_rng_state())
    assert not list(made.state_dict())
