"""Balancing: what all methods keep, and each one's numbers against an independent computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import flow
import tiny
from crossfade import experiment
from crossfade.balance.base import NoBalance, alone_losses, known_where, of_others, total_loss
from crossfade.balance.blending import blended
from crossfade.config import OptimConfig, compose
from crossfade.errors import UserError
from crossfade.evaluation.evaluate import evaluate
from crossfade.seeding import seeded
from crossfade.training.module import FusionModule
from crossfade.training.optim import parameter_groups

METHODS = tiny.options("balance")
STRATEGIES = ["weighted", "attention", "late", "mmtm", "embracenet"]
NAMES = ("camera", "note", "table")
OPTIM = OptimConfig(lr=1e-3, pretrained_lr=1e-4, weight_decay=0.05, betas=[0.9, 0.98], warmup=0.0, schedule="constant")


def batch(samples=12, seed=0, absent=True):
    """Inputs, presence with some absences, truth of the three targets with some unknown."""
    inputs = tiny.inputs(NAMES, samples, seed)
    presence = torch.ones(samples, 3, dtype=torch.bool)
    truth = {
        "kind": torch.arange(samples) % 3,
        "signs": (torch.arange(2 * samples).view(samples, 2) % 3 == 0).float(),
        "size": torch.linspace(0, 6, samples)[:, None],
    }
    if absent:
        presence[0] = torch.tensor([True, False, False])
        presence[1, 0] = False
        truth["kind"][2] = -1
        truth["size"][3] = float("nan")
    return inputs, presence, truth


def method(name, model, **fields):
    with seeded(0, "balance"):
        return tiny.made(tiny.part("balance", name, **fields), model=model)


def step(model, balance, data):
    """One training step's loss, its gradients left on the parameters."""
    inputs, presence, truth = data
    model.zero_grad(set_to_none=True)
    tokens, mask = balance.hide(*model.embed(inputs, presence))
    loss = balance.objective(total_loss(model, model.decide(tokens, mask), truth), model, tokens, mask, truth)
    loss.backward()
    balance.adjust(model)
    return loss.detach()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("tokens", [1, 4])
def test_any_method_works_with_any_strategy_and_absences(name, strategy, tokens):
    model = tiny.model(NAMES, strategy, tokens=tokens).train()
    balance, data = method(name, model), batch()
    for epoch in range(3):
        loss = step(model, balance, data)
        with torch.no_grad():
            balance.validated(model, *model.embed(*data[:2]), data[2])
        balance.epoch_ended(epoch)
        assert torch.isfinite(loss)
    for key, parameter in [*model.named_parameters(), *balance.named_parameters()]:
        assert parameter.grad is None or parameter.grad.isfinite().all(), key
    assert all(value.isfinite().all() for value in balance.buffers() if value.is_floating_point())


@pytest.mark.parametrize("name", METHODS)
def test_the_weights_of_the_model_do_not_know_of_the_method(name):
    model = tiny.model(NAMES)
    before = set(model.state_dict())
    module = FusionModule(model, OPTIM, 10, 0, balance=method(name, model))
    assert set(model.state_dict()) == before
    state = module.state_dict()
    assert {key for key in state if key.startswith("model.")} == {f"model.{key}" for key in before}
    assert {key for key in state if not key.startswith("model.")} == {
        f"balance.{k}" for k in module.balance.state_dict()
    }
    listed = [id(p) for group in parameter_groups(model, OPTIM, module.balance) for p in group["params"]]
    assert sorted(listed) == sorted(id(p) for p in module.parameters())


@pytest.mark.parametrize("name", [name for name in METHODS if name != "none"])
def test_a_run_with_it_is_trained_and_reopened_from_its_folder(tmp_path, name):
    config = flow.config(flow.data_set(tmp_path), f"balance={name}", "trainer.epochs=3")
    summary = experiment.run(config, tmp_path / "run")
    assert evaluate(tmp_path / "run")["metrics"] == summary["metrics"]


def test_alone_losses_are_those_of_the_model_with_one_modality_present():
    model, (inputs, presence, truth) = tiny.model(NAMES, "attention"), batch()
    losses, counts = alone_losses(model, *model.embed(inputs, presence), truth)
    assert counts.tolist() == presence.sum(0).tolist()
    for m in range(3):
        rows = presence[:, m]
        only = torch.zeros_like(presence)
        only[:, m] = True
        outputs = model({k: v[rows] for k, v in inputs.items()}, only[rows])
        wanted = total_loss(model, outputs, {k: v[rows] for k, v in truth.items()})
        torch.testing.assert_close(losses[m], wanted, rtol=1e-5, atol=1e-6)


def test_unknown_is_minus_one_of_whole_numbers_and_nan_of_others():
    here = torch.tensor([True, False])
    assert known_where(here, torch.tensor([4, 5])).tolist() == [4, -1]
    assert known_where(here, torch.tensor([[1.0, 2.0], [3.0, 4.0]])).isnan().tolist() == [[False] * 2, [True] * 2]


def test_the_mean_of_the_others_leaves_out_what_does_not_count():
    values = torch.tensor([1.0, 2.0, 6.0, 50.0])
    assert of_others(values, torch.tensor([3, 2, 1, 0])).tolist() == [4.0, 3.5, 1.5, 3.0]
    assert of_others(values[:1], torch.tensor([3])).tolist() == [1.0]


def test_modality_dropout_hides_at_its_rate_keeps_one_and_shows_nothing_that_is_absent():
    model = tiny.model(NAMES)
    balance = method("modality_dropout", model, rate=0.6)
    presence = torch.ones(60_000, 3, dtype=torch.bool)
    presence[::2, 2] = False
    tokens = torch.ones(60_000, 3, 1, 4)
    with seeded(0, "test"):
        hidden, mask = balance.hide(tokens, presence.unsqueeze(-1))
    kept = mask[..., 0]
    assert kept.any(1).all()
    assert not (kept & ~presence).any()
    assert torch.equal(hidden[..., 0, 0] != 0, kept)
    for rows, count in ((slice(0, None, 2), 2), (slice(1, None, 2), 3)):
        # hidden by its own draw, but for the draws in which all are, of which it is the one that is kept in 1 of n
        wanted = 0.6 - 0.6**count / count
        assert 1 - kept[rows, 0].float().mean().item() == pytest.approx(wanted, abs=0.01)


def test_auxiliary_heads_add_the_mean_of_their_losses_and_learn():
    model, data = tiny.model(NAMES), batch()
    balance = method("auxiliary", model, weight=0.5)
    plain = step(model, NoBalance(model), data)
    loss = step(model, balance, data)
    inputs, presence, truth = data
    tokens, _ = model.embed(inputs, presence)
    extra = 0.0
    for m, modality in enumerate(NAMES):
        for name, head in balance.heads[modality].items():
            rows = presence[:, m]
            own = tokens[rows, m, 0]
            output = head.head(own)
            extra += head.loss(output, truth[name][rows]).item()
    assert loss.item() == pytest.approx(plain.item() + 0.5 * extra / 3, rel=1e-5)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in balance.parameters())


def test_ogm_ge_shrinks_what_is_ahead_by_the_formula_and_leaves_the_rest():
    model, data = tiny.model(NAMES), batch()
    step(model, NoBalance(model), data)
    plain = {key: p.grad.clone() for key, p in model.named_parameters() if p.grad is not None}
    balance = method("ogm_ge", model, noise=0.0, strength=0.8)
    step(model, balance, data)
    losses, _ = alone_losses(model, *model.embed(*data[:2]), data[2])
    score = np.exp(-losses.detach().numpy().astype(np.float64))
    ratio = score / [np.delete(score, m).mean() for m in range(3)]
    k = np.where(ratio > 1, 1 - np.tanh(0.8 * ratio), 1.0)
    assert 0 < (k < 1).sum() < 3
    np.testing.assert_allclose(balance.k, k, rtol=1e-4)
    for key, parameter in model.named_parameters():
        if key not in plain:
            continue
        place = key.split(".")
        factor = k[NAMES.index(place[1])] if place[0] in ("encoders", "embeddings") else 1.0
        torch.testing.assert_close(parameter.grad, plain[key] * float(factor), rtol=1e-4, atol=1e-7)


def test_the_noise_of_ogm_ge_has_the_deviation_of_the_gradient():
    model, data = tiny.model(NAMES), batch()
    quiet, loud = method("ogm_ge", model, noise=0.0), method("ogm_ge", model, noise=0.5)
    step(model, quiet, data)
    key = "encoders.camera"
    before = {n: p.grad.clone() for n, p in model.named_parameters() if n.startswith(key) and p.numel() > 2000}
    step(model, loud, data)
    after = {n: p.grad for n, p in model.named_parameters() if n in before}
    assert before
    for name, gradient in before.items():
        assert (after[name] - gradient).std().item() == pytest.approx(0.5 * gradient.std().item(), rel=0.1)


def test_blending_weighs_by_gain_over_squared_overfitting():
    before = torch.tensor([[1.0, 1.0, 1.0], [1.1, 1.2, 1.0]])  # training, validation
    now = torch.tensor([[0.5, 0.2, 0.9], [0.9, 1.0, 1.2]])
    gain = np.array([0.2, 0.2, 0.0])  # the third got worse
    overfitting = np.array([0.4 - 0.1, 0.8 - 0.2, 0.3])
    raw = gain / overfitting**2
    found = blended(torch.full((3,), 1 / 3), before, now)
    np.testing.assert_allclose(found, raw / raw.sum(), rtol=1e-5)
    same = blended(torch.tensor([0.2, 0.3, 0.5]), before, before + 1)
    np.testing.assert_allclose(same, [0.2, 0.3, 0.5], rtol=1e-6)


def test_blending_starts_even_and_changes_its_weights_after_the_epochs_it_was_told():
    model, data = tiny.model(NAMES), batch()
    balance = method("blending", model, every=2)
    losses, _ = alone_losses(model, *model.embed(*data[:2]), data[2])
    plain = step(model, NoBalance(model), data)
    assert step(model, balance, data).item() == pytest.approx((losses.sum() + plain).item(), rel=1e-5)
    changed = []
    for epoch in range(4):
        old = balance.weights.clone()
        step(model, balance, data)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter -= 0.005 * parameter.grad
            balance.validated(model, *model.embed(*data[:2]), data[2])
        balance.epoch_ended(epoch)
        changed.append(not torch.equal(old, balance.weights))
        assert balance.weights.sum().item() == pytest.approx(1.0, abs=1e-5)
    assert changed == [False, True, False, True]


def test_prototypes_pull_what_lags_behind_by_the_formula():
    model, data = tiny.model(NAMES, targets=("kind",)), batch(absent=False)
    inputs, presence, truth = data
    truth = {"kind": truth["kind"]}
    balance = method("pmr", model, weight=0.7, entropy=0.2)
    plain = step(model, NoBalance(model), (inputs, presence, truth))
    loss = step(model, balance, (inputs, presence, truth))
    x = model.embed(inputs, presence)[0][:, :, 0].detach().numpy().astype(np.float64)
    y = truth["kind"].numpy()
    score, pull, entropy = [], [], []
    for m in range(3):
        centre = np.stack([x[y == c, m].mean(0) for c in range(3)])
        distance = np.linalg.norm(x[:, m, None] - centre, axis=-1)
        p = np.exp(-distance) / np.exp(-distance).sum(1, keepdims=True)
        right = p[np.arange(len(y)), y]
        score.append(right.mean())
        pull.append(-np.log(right).mean())
        entropy.append(-(p * np.log(p)).sum(1).mean())
    ratio = np.array([np.delete(score, m).mean() / score[m] for m in range(3)])
    lag, lead = np.clip(ratio - 1, 0, 1), np.clip(1 / ratio - 1, 0, 1)
    assert lag.max() > 0
    wanted = plain.item() + 0.7 * (lag * pull).sum() - 0.2 * (lead * entropy).sum()
    assert loss.item() == pytest.approx(wanted, rel=1e-4)
    for _ in range(2):
        balance.epoch_ended(1)
    later = step(model, balance, (inputs, presence, truth))
    assert later.item() == pytest.approx(plain.item() + 0.7 * (lag * pull).sum(), rel=1e-3)


def test_prototypes_need_classes():
    with pytest.raises(UserError, match=r"balance=pmr: .* must be multiclass; the run has findings \(multilabel\)"):
        compose("task.targets=[findings]", "balance=pmr")
