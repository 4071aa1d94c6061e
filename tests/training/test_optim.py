"""Which parameters decay and learn how fast; the schedule's closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import tiny
from crossfade.config import OptimConfig
from crossfade.training.optim import learning_rate_factor, make_optimizer, make_schedule, parameter_groups

OPTIM = OptimConfig(lr=1e-3, pretrained_lr=1e-4, weight_decay=0.05, betas=[0.9, 0.98], warmup=0.1, schedule="cosine")


@pytest.fixture(scope="module")
def model():
    made = tiny.model(tuple(tiny.SPECS), "attention")
    made.encoders["note"].pretrained = True
    return made


def group_of(model):
    """Name of the parameter → (learning rate, decay)."""
    names = {id(p): name for name, p in model.named_parameters()}
    groups = parameter_groups(model, OPTIM)
    assert len(groups) <= 4
    return {names[id(p)]: (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}


def test_every_parameter_is_in_one_group(model):
    groups = parameter_groups(model, OPTIM)
    listed = [id(p) for g in groups for p in g["params"]]
    assert sorted(listed) == sorted(id(p) for p in model.parameters())


def test_only_matrices_of_linear_and_convolution_layers_decay(model):
    decays = {name for name, (_, decay) in group_of(model).items() if decay}
    matrices = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)}
    assert decays == matrices
    never = ("bias", "norm", "embeddings.word", "position", "cls", "identity", "missing", "query")
    assert not [n for n in decays if n.endswith(never) or "LayerNorm" in n or "_embeddings" in n]
    assert {d for _, d in group_of(model).values()} == {0.0, 0.05}


def test_encoders_with_given_weights_learn_at_their_own_rate(model):
    for name, (lr, _) in group_of(model).items():
        assert lr == (1e-4 if name.startswith("encoders.note.") else 1e-3), name


def test_frozen_parameters_are_left_out(model):
    other = tiny.model(("table", "note"))
    other.encoders["note"].frozen = True
    other.encoders["note"].freeze()
    assert not [name for name in group_of(other) if name.startswith("encoders.note.")]


def test_adamw_takes_the_published_step():
    """One step of algorithm 2 by hand: p ← p − lr·(m̂/(√v̂ + ε) + λp), m̂ = g and v̂ = g² at the first."""
    model = tiny.model(("table",))
    optimizer = make_optimizer(model, OPTIM, fused=False)
    assert optimizer.defaults["betas"] == (0.9, 0.98)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    torch.manual_seed(0)
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    optimizer.step()
    groups = group_of(model)
    for name, p in model.named_parameters():
        lr, decay = groups[name]
        expected = before[name] - lr * (p.grad / (p.grad.abs() + 1e-8) + decay * before[name])
        torch.testing.assert_close(p.detach(), expected, atol=1e-7, rtol=1e-4)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_schedule(schedule):
    factors = [learning_rate_factor(step, 100, 0.1, schedule) for step in range(101)]
    assert factors[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    for step in range(10, 101):
        t = (step - 10) / 90
        assert factors[step] == pytest.approx(1.0 if schedule == "constant" else 0.5 * (1 + math.cos(math.pi * t)))
    assert learning_rate_factor(0, 100, 0.0, schedule) == 1.0
    assert learning_rate_factor(500, 100, 0.1, schedule) == (1.0 if schedule == "constant" else 0.0)
    assert learning_rate_factor(0, 1, 0.1, schedule) == 1.0  # one step in all


def test_all_groups_follow_the_schedule(model):
    optimizer = make_optimizer(model, OPTIM, fused=False)
    rates = [g["lr"] for g in optimizer.param_groups]
    assert sorted(set(rates)) == [1e-4, 1e-3]
    schedule = make_schedule(optimizer, OPTIM, 20)
    for step in range(20):
        factor = learning_rate_factor(step, 20, 0.1, "cosine")
        assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([r * factor for r in rates])
        optimizer.step()
        schedule.step()
