"""Strategies that mix decisions: whole models, against the opinions of each modality alone in NumPy float64."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import tiny
from by_hand import CLOSE, MODALITIES, M, fused, sigmoid, softmax, softplus, strategy, tokens_and_mask
from crossfade.targets.base import combined_opinions

TARGETS = ("kind", "signs", "size")


@dataclass
class Case:
    """A model's outputs, what each modality alone would say, and who is present."""

    fusion: torch.nn.Module
    together: dict[str, np.ndarray]  # (B, C)
    alone: dict[str, np.ndarray]  # (B, M, C)
    present: np.ndarray  # (B, M)
    tokens: np.ndarray  # (B, M, D)


def case(name, modalities=MODALITIES, **fields):
    model = tiny.model(modalities, name, fusion_fields=fields)
    presence = tiny.patterns(len(modalities))
    inputs = tiny.inputs(modalities, len(presence))
    with torch.no_grad():
        for parameter in model.fusion.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        for target in model.targets.values():  # opinions that differ
            target.head[1].weight.mul_(5)
        together = model(inputs, presence)
        tokens, _ = model.embed(inputs, presence)
        alone = {name: [] for name in TARGETS}
        for m in range(len(modalities)):
            here = torch.ones(len(presence), 1, dtype=torch.bool)
            representation = model.core(tokens[:, m] + model.fusion.identity[m], here)
            for name, head in model.targets.items():
                alone[name].append(head(representation).double().numpy())
    return Case(
        model.fusion,
        {name: o.double().numpy() for name, o in together.items()},
        {name: np.stack(outputs, 1) for name, outputs in alone.items()},
        presence.numpy(),
        tokens[:, :, 0].double().numpy(),
    )


def rows(c, of):
    """`of(sample, modalities present)` for every sample."""
    return np.array([of(b, [m for m in range(c.present.shape[1]) if c.present[b, m]]) for b in range(len(c.present))])


def check_linear(c, weights):
    """p(y) = Σ_m w_m·p_m(y); of numbers the mean. `weights(sample, present)` sums to 1."""

    def mixed(name, prediction):
        return rows(c, lambda b, here: np.array(weights(b, here)) @ [prediction(c.alone[name][b, m]) for m in here])

    np.testing.assert_allclose(softmax(c.together["kind"].T).T, mixed("kind", softmax), **CLOSE)
    np.testing.assert_allclose(sigmoid(c.together["signs"]), mixed("signs", sigmoid), **CLOSE)
    np.testing.assert_allclose(c.together["size"], mixed("size", lambda o: o), **CLOSE)


def check_product(c, weights):
    """p(y) ∝ ∏_m p_m(y)^w_m; of numbers, the mean weighted by w."""

    def kind(b, here):
        p = np.prod([softmax(c.alone["kind"][b, m]) ** w for m, w in zip(here, weights(b, here), strict=True)], 0)
        return p / p.sum()

    def signs(b, here):
        pairs = list(zip(here, weights(b, here), strict=True))
        yes = np.prod([sigmoid(c.alone["signs"][b, m]) ** w for m, w in pairs], 0)
        no = np.prod([sigmoid(-c.alone["signs"][b, m]) ** w for m, w in pairs], 0)
        return yes / (yes + no)

    def size(b, here):
        return np.average([c.alone["size"][b, m] for m in here], 0, weights(b, here))

    np.testing.assert_allclose(softmax(c.together["kind"].T).T, rows(c, kind), **CLOSE)
    np.testing.assert_allclose(sigmoid(c.together["signs"]), rows(c, signs), **CLOSE)
    np.testing.assert_allclose(c.together["size"], rows(c, size), **CLOSE)


def even(b, here):
    return [1 / len(here)] * len(here)


def test_late():
    check_linear(case("late"), even)


def test_stacking():
    c = case("stacking")
    weight, bias = (p.detach().double().numpy() for p in (c.fusion.beside.weight, c.fusion.beside.bias))
    check_linear(c, lambda b, here: softmax((weight @ c.present[b] + bias)[here]))


def test_stacking_starts_as_late():
    out = fused(strategy("stacking"), tokens_and_mask())
    present = tiny.patterns(M).double()
    torch.testing.assert_close(out.weight.double(), present / present.sum(1, keepdim=True))


def test_quality():
    c = case("quality")
    weight, bias = (p.detach().double().numpy() for p in (c.fusion.gate.score.weight, c.fusion.gate.score.bias))
    check_linear(c, lambda b, here: softmax([weight[m, 0] @ c.tokens[b, m] + bias[m, 0] for m in here]))


@pytest.mark.parametrize("alpha", [None, {"camera": 0.2, "note": 0.5, "table": 0.3}, {"table": 1.0}, "learned"])
def test_log_linear_pool(alpha):
    c = case("loglinear", alpha=alpha)
    point = dict.fromkeys(MODALITIES, 1 / 3) if alpha is None else alpha
    if alpha == "learned":
        point = dict(zip(MODALITIES, softmax(c.fusion.theta.detach().double().numpy()), strict=True))

    def weights(b, here):
        given = np.array([point.get(MODALITIES[m], 0.0) for m in here])
        return given / given.sum() if given.sum() else even(b, here)

    check_product(c, weights)


def test_product_of_experts():
    check_product(case("poe"), lambda b, here: [1.0] * len(here))


def opinion(evidence):
    """Beliefs and uncertainty of C classes from their evidence."""
    total = evidence.sum() + len(evidence)
    return evidence / total, len(evidence) / total


def dempster(first, second):
    """Two opinions by Dempster's rule, over all pairs of their focal sets: a class, or the whole frame."""
    (b1, u1), (b2, u2) = first, second
    classes = range(len(b1))
    conflict = sum(b1[i] * b2[j] for i, j in itertools.product(classes, classes) if i != j)
    beliefs = np.array([b1[k] * b2[k] + b1[k] * u2 + b2[k] * u1 for k in classes])
    return beliefs / (1 - conflict), u1 * u2 / (1 - conflict)


def expected_probability(evidences):
    """The combined Dirichlet's mean."""
    beliefs, uncertainty = opinion(evidences[0])
    for evidence in evidences[1:]:
        beliefs, uncertainty = dempster((beliefs, uncertainty), opinion(evidence))
    classes = len(beliefs)
    alpha = beliefs * classes / uncertainty + 1
    return alpha / alpha.sum()


@pytest.mark.parametrize("modalities", [MODALITIES, ("table",)], ids=["three", "one"])
def test_evidential(modalities):
    c = case("evidential", modalities)

    def kind(b, here):
        return expected_probability([softplus(c.alone["kind"][b, m]) for m in here])

    def signs(b, here):
        labels = range(c.alone["signs"].shape[-1])
        both = [[softplus(np.array([o, -o])) for o in c.alone["signs"][b, m]] for m in here]
        return [expected_probability([both[i][label] for i in range(len(here))])[0] for label in labels]

    np.testing.assert_allclose(softmax(c.together["kind"].T).T, rows(c, kind), **CLOSE)
    np.testing.assert_allclose(sigmoid(c.together["signs"]), rows(c, signs), **CLOSE)
    size = rows(c, lambda b, here: c.alone["size"][b, here].mean(0))
    np.testing.assert_allclose(c.together["size"], size, **CLOSE)


def test_opinions_stay_finite_with_evidence_of_any_size():
    evidence = torch.tensor([[[0.0, 1e6, 0.0]] * 30, [[0.0, 0.0, 0.0]] * 30], requires_grad=True)
    out = combined_opinions(evidence, torch.ones(2, 30))
    assert out.isfinite().all()
    torch.testing.assert_close(out[1], torch.zeros(3))  # no evidence: a flat Dirichlet
    out.logsumexp(-1).sum().backward()
    assert evidence.grad.isfinite().all()
