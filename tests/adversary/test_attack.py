"""FGSM and PGD: closed forms of a linear model, and the box that they must not leave."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

import tiny
from crossfade.adversary.attack import fgsm, gradient, pgd, radius_of, within
from crossfade.balance.base import total_loss
from crossfade.data.scale import Scale
from crossfade.seeding import seeded
from crossfade.specs import ModalitySpec

NAMES = ("audio", "camera", "lidar", "note", "power", "table")
FLOATS = [name for name in NAMES if name != "note"]


def scale(name, sd, limits=None, mean=0.0):
    sd = torch.as_tensor(sd, dtype=torch.float32)
    return Scale(tiny.SPECS[name], torch.full_like(sd, mean), sd, limits)


SCALES = {
    "audio": scale("audio", [0.7]),
    "camera": scale("camera", [[[1.0]], [[0.5]], [[0.0]]], (-1.0, 1.0)),
    "lidar": scale("lidar", [[1.0, 1.0, 0.5, 1.0]]),
    "power": scale("power", [[1.0, 2.0]]),
    "table": scale("table", [1.0, 0.0]),  # the second holds categories
}


def start_of(x):
    with seeded(0, "start"):
        return {name: 2 * torch.rand_like(value) - 1 for name, value in x.items()}


def attacked(attack, loss, x, radius, scales, steps=5):
    return fgsm(loss, x, radius, scales) if attack == "fgsm" else pgd(loss, x, radius, scales, steps, start_of(x))


def scene(samples=10, seed=1):
    """A tiny model of all kinds, inputs with missing entries and absences, truth, and the loss of each sample."""
    model = tiny.model(NAMES, "attention", targets=("kind",)).requires_grad_(False)
    inputs = tiny.inputs(NAMES, samples, seed)
    inputs["camera"] = inputs["camera"].clamp(-1, 1)
    inputs["power"][0, 3] = float("nan")
    inputs["audio"][:, 700:] = 0
    presence = torch.ones(samples, len(NAMES), dtype=torch.bool)
    presence[2, :3] = presence[5, 4] = False
    truth = torch.arange(samples) % 3

    def each(moved):
        outputs = model({**inputs, **moved}, presence)
        return torch.stack([total_loss(model, {"kind": outputs["kind"][i : i + 1]}, {"kind": truth[i : i + 1]})
                            for i in range(samples)])  # fmt: skip

    def boxes(epsilon):
        return {n: radius_of(inputs[n], presence[:, NAMES.index(n)], SCALES[n], epsilon) for n in FLOATS}

    return {n: inputs[n] for n in FLOATS}, presence, each, boxes


def linear(samples=50, seed=0):
    rng = np.random.default_rng(seed)
    w, sd = rng.normal(size=4), np.array([1.0, 2.0, 0.5, 0.0])
    x, y = rng.normal(size=(samples, 4)), rng.choice([-1.0, 1.0], samples)
    spec = ModalitySpec(name="t", kind="table", column=list("abcd"))
    of = Scale(spec, torch.zeros(4), torch.tensor(sd, dtype=torch.float64), None)
    tensors = {"t": torch.tensor(x)}

    def loss(moved):
        return softplus(-torch.tensor(y) * (moved["t"] @ torch.tensor(w))).sum()

    radius = {"t": radius_of(tensors["t"], torch.ones(samples, dtype=torch.bool), of, 0.3)}
    return x, y, w, sd, tensors, loss, radius, {"t": of}


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_on_a_linear_model_the_attack_is_the_closed_form(attack):
    """max over the box of softplus(−y·wᵀx) is at x − ε·sd·y·sign(w), and is softplus(−y·wᵀx + ε·Σ sd·|w|)."""
    x, y, w, sd, tensors, loss, radius, scales = linear()
    found = attacked(attack, loss, tensors, radius, scales)
    expected = x - 0.3 * sd * y[:, None] * np.sign(w)
    np.testing.assert_allclose(found["t"].numpy(), expected, atol=1e-9)
    worst = np.logaddexp(0, -y * (x @ w) + 0.3 * (sd * np.abs(w)).sum()).sum()
    assert float(loss(found)) == pytest.approx(worst, rel=1e-9)


def test_a_pgd_step_is_that_of_the_formula():
    *_, tensors, loss, radius, scales = linear()
    zero = {"t": torch.zeros_like(tensors["t"])}
    one = pgd(loss, tensors, radius, scales, 10, zero)  # after ten steps of a quarter it lies in the corner
    torch.testing.assert_close(one, fgsm(loss, tensors, radius, scales))
    half = pgd(lambda m: loss(m) if (m["t"] == tensors["t"]).all() else 0 * loss(m), tensors, radius, scales, 5, zero)
    moved = (half["t"] - tensors["t"])[:, :3] / radius["t"][:, :3]
    torch.testing.assert_close(moved.abs(), torch.full_like(moved, 0.5))  # 2.5/5 of the radius, once


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_nothing_leaves_its_box_and_what_is_not_there_is_not_touched(attack):
    x, presence, each, boxes = scene()
    radius = boxes(0.2)
    moved = attacked(attack, lambda m: each(m).sum(), x, radius, SCALES)
    assert sorted(moved) == FLOATS
    for name in FLOATS:
        here = presence[:, NAMES.index(name)]
        assert torch.equal(moved[name][~here].nan_to_num(7), x[name][~here].nan_to_num(7))
        assert torch.equal(moved[name].isnan(), x[name].isnan())
        step = (moved[name] - x[name]).abs().nan_to_num(0)
        assert (step <= radius[name] * (1 + 1e-5) + 1e-6).all()
        assert step[here].amax() > 0
    assert (moved["camera"].abs() <= 1).all()
    assert torch.equal(moved["camera"][:, 2], x["camera"][:, 2])  # a channel of sd 0
    assert torch.equal(moved["table"][:, 1].nan_to_num(7), x["table"][:, 1].nan_to_num(7))  # categories
    assert torch.equal(moved["audio"][:, 700:], x["audio"][:, 700:])  # padding


def test_the_loss_of_each_sample_rises_and_further_with_pgd():
    x, _, each, boxes = scene()
    with torch.no_grad():
        clean = each({})
        small = each(fgsm(lambda m: each(m).sum(), x, boxes(1e-3), SCALES))
        assert (small > clean).all()
        radius = boxes(0.3)
        one = each(fgsm(lambda m: each(m).sum(), x, radius, SCALES))
        many = each(pgd(lambda m: each(m).sum(), x, radius, SCALES, 10, start_of(x)))
    assert clean.mean() < one.mean() < many.mean()


def test_a_sample_is_attacked_alone():
    x, _, each, boxes = scene()
    radius = boxes(0.1)
    together = fgsm(lambda m: each(m).sum(), x, radius, SCALES)
    weighted = fgsm(lambda m: (each(m) * torch.arange(1.0, 11)).sum(), x, radius, SCALES)
    for name in FLOATS:  # whatever its neighbours weigh
        torch.testing.assert_close(together[name], weighted[name], equal_nan=True)
    only = torch.zeros(10)
    only[4] = 1
    alone = fgsm(lambda m: (each(m) * only).sum(), x, radius, SCALES)
    for name in FLOATS:
        torch.testing.assert_close(alone[name][4], together[name][4], equal_nan=True)
        torch.testing.assert_close(alone[name][5], x[name][5], equal_nan=True)


def test_what_the_loss_does_not_look_at_has_no_gradient_and_stays():
    x = {"power": torch.ones(2, 20, 2), "table": torch.ones(2, 2)}
    assert gradient(lambda m: m["table"].sum(), x)["power"].eq(0).all()
    parameter = torch.nn.Parameter(torch.ones(()))
    gradient(lambda m: parameter * m["table"].sum(), x)
    assert parameter.grad is None
    assert not x["table"].requires_grad


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_inputs_keep_their_precision(attack, dtype):
    x = {"power": torch.ones(3, 20, 2, dtype=dtype)}
    radius = {"power": radius_of(x["power"], torch.ones(3, dtype=torch.bool), SCALES["power"], 0.1)}
    moved = attacked(attack, lambda m: m["power"].square().sum(), x, radius, SCALES)["power"]
    assert moved.dtype == dtype
    torch.testing.assert_close(moved.float(), torch.tensor([1.1, 1.2]).expand(3, 20, 2), rtol=0.01, atol=0)


def test_a_value_beyond_the_limits_is_brought_no_further_than_the_box():
    x = torch.tensor([0.95, -0.2, 5.0])
    of = scale("camera", [1.0], (-1.0, 1.0))
    found = within(x + torch.tensor([0.1, -0.1, 0.1]), x, torch.tensor([0.1, 0.1, 0.0]), of)
    torch.testing.assert_close(found, torch.tensor([1.0, -0.3, 5.0]))
