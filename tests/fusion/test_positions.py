"""Strategies that join what the modalities have at each position, against their equations in NumPy float64."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from by_hand import (
    D,
    M,
    check,
    each_position,
    fused,
    gelu,
    joined,
    others,
    pooled,
    ragged_tokens_and_mask,
    shaken,
    sigmoid,
    softmax,
    softplus,
    strategy,
    tokens_and_mask,
)
from crossfade.errors import UserError
from crossfade.fusion.tensor.tfn import TFN


@pytest.fixture(params=[tokens_and_mask, ragged_tokens_and_mask], ids=["whole", "ragged"])
def x(request):
    return request.param()


def test_adaptive(x):
    made, p = shaken("adaptive")

    def of(b, k, here):
        present = [m for m in range(M) if x[1][b, m].any()]
        score = [p["gate.score.weight"][m, 0] @ pooled(x, b, m) + p["gate.score.bias"][m, 0] for m in present]
        alpha = dict(zip(present, softmax(score), strict=True))
        return sum(alpha[m] * x[0][b, m, k] for m in here) / sum(alpha[m] for m in here)

    check(fused(made, x), each_position(x, of))


def test_mlp(x):
    made, p = shaken("mlp", hidden=5)

    def of(b, k, here):
        inner = gelu(p["inner.weight"] @ joined(x, b, k, p["absent"]) + p["inner.bias"])
        return p["outer.weight"] @ inner + p["outer.bias"]

    check(fused(made, x), each_position(x, of))


def test_deep_sets(x):
    made, p = shaken("deepsets", hidden=5)

    def of(b, k, here):
        inner = sum(gelu(p["inner.weight"] @ (x[0][b, m, k] + p["identity"][m, 0]) + p["inner.bias"]) for m in here)
        return p["outer.weight"] @ inner + p["outer.bias"]

    check(fused(made, x), each_position(x, of))


def test_attention_pooling(x):
    made, p = shaken("pooling", hidden=5)

    def of(b, k, here):
        score = [
            np.tanh(p["inner.weight"] @ (x[0][b, m, k] + p["identity"][m, 0])) @ p["score.weight"][0] for m in here
        ]
        return softmax(score) @ x[0][b, here, k]

    check(fused(made, x), each_position(x, of))


def test_gmu(x):
    made, p = shaken("gmu")

    def of(b, k, here):
        score = (p["gate.weight"] @ joined(x, b, k, p["absent"]) + p["gate.bias"]).reshape(M, D)
        feature = [np.tanh(p["feature.weight"][m] @ x[0][b, m, k] + p["feature.bias"][m]) for m in here]
        return (softmax(score[here]) * feature).sum(0)

    check(fused(made, x), each_position(x, of))


def test_film(x):
    made, p = shaken("film")

    def of(b, k, here):
        modulated = []
        for m in here:
            gamma, beta = np.split(p["condition.weight"][m] @ others(x, b, m) + p["condition.bias"][m], 2)
            modulated.append((1 + gamma) * x[0][b, m, k] + beta)
        return np.mean(modulated, 0)

    check(fused(made, x), each_position(x, of))


def test_mmtm(x):
    made, p = shaken("mmtm", reduction=3)
    assert p["squeeze.weight"].shape == (M * D // 3, M * D)

    def of(b, k, here):
        squeezed = np.concatenate([pooled(x, b, m) for m in range(M)])
        squeezed = np.maximum(0, p["squeeze.weight"] @ squeezed + p["squeeze.bias"])
        gate = 2 * sigmoid(p["excite.weight"] @ squeezed + p["excite.bias"]).reshape(M, D)
        return np.mean([gate[m] * x[0][b, m, k] for m in here], 0)

    check(fused(made, x), each_position(x, of))


def test_highway(x):
    assert (strategy("highway").gate.bias == -1).all()
    made, p = shaken("highway")

    def of(b, k, here):
        f = joined(x, b, k, p["absent"])
        gate = sigmoid(p["gate.weight"] @ f + p["gate.bias"])
        joint = np.tanh(p["joint.weight"] @ f + p["joint.bias"])
        return gate * joint + (1 - gate) * x[0][b, here, k].mean(0)

    check(fused(made, x), each_position(x, of))


def test_tensor_fusion(x):
    made, p = shaken("tfn", hidden=3)

    def of(b, k, here):
        z = [np.append(p["reduce.weight"][m] @ x[0][b, m, k] + p["reduce.bias"][m], 1.0) for m in range(M)]
        z = [z[m] if m in here else np.array([0.0, 0.0, 0.0, 1.0]) for m in range(M)]
        outer = [math.prod(parts) for parts in itertools.product(*z)]
        return p["project.weight"] @ np.array(outer) + p["project.bias"]

    check(fused(made, x), each_position(x, of))


def test_low_rank_fusion_is_a_tensor_fusion_of_this_rank(x):
    """W = Σ_r w_r·⊗_m [U_{m,r}, c_{m,r}], built in full and applied to ⊗_m [x_m; 1]."""
    made, p = shaken("lmf", rank=2)
    u = p["factors.weight"].reshape(M, 2, D, D)
    factors = np.concatenate([u, p["factors.bias"].reshape(M, 2, D, 1)], -1)  # (M, R, D, D + 1)
    full = np.einsum("r,rda,rdb,rdc->dabc", p["weight"], *factors)

    def of(b, k, here):
        z = [np.append(x[0][b, m, k], 1.0) for m in range(M)]
        return np.einsum("dabc,a,b,c->d", full, *z) + p["bias"]

    check(fused(made, x), each_position(x, of))


def test_low_rank_fusion_starts_with_no_modality_wiping_out_the_others(x):
    made = strategy("lmf", rank=1)
    with torch.no_grad():
        made.factors.weight[1:].zero_()
        made.weight.fill_(1.0)
    u = made.factors.weight.detach().double().numpy()[0]
    check(fused(made, x), each_position(x, lambda b, k, here: u @ x[0][b, 0, k] + 1))


def test_factorised_bilinear(x):
    made, p = shaken("mfb", rank=3)
    u = p["factors.weight"].reshape(M, 3, D, D)

    def of(b, k, here):
        summed = sum(math.prod(u[m, r] @ x[0][b, m, k] for m in here) for r in range(3))
        rooted = np.sign(summed) * np.sqrt(np.abs(summed) + 1e-6)
        return np.sqrt(D) * rooted / np.linalg.norm(rooted)

    check(fused(made, x), each_position(x, of))


def test_mutan(x):
    made, p = shaken("mutan", rank=3, hidden=5)
    u = p["factors.weight"].reshape(M, 3, 5, 5)

    def of(b, k, here):
        low = {m: np.tanh(p["reduce.weight"][m] @ x[0][b, m, k] + p["reduce.bias"][m]) for m in here}
        summed = sum(math.prod(u[m, r] @ low[m] for m in here) for r in range(3))
        return p["project.weight"] @ summed + p["project.bias"]

    check(fused(made, x), each_position(x, of))


def test_multiplicative_interactions(x):
    """cᵀ𝕎x + cᵀU + Vx + b with the third-order tensor 𝕎 of each modality."""
    made, p = shaken("multiplicative", hidden=3)
    w, u = p["bilinear.weight"].reshape(M, 3, D, D), p["bilinear.bias"].reshape(M, 3, D)

    def of(b, k, here):
        each = []
        for m in here:
            c, token = p["context.weight"] @ others(x, b, m), x[0][b, m, k]
            linear = p["linear.weight"][m] @ token + p["linear.bias"][m]
            each.append(np.einsum("h,hda,a->d", c, w[m], token) + c @ u[m] + linear)
        return np.mean(each, 0)

    check(fused(made, x), each_position(x, of))


@pytest.mark.parametrize("top", [1, 2, 3])
def test_experts(x, top):
    made, p = shaken("experts", experts=3, top=top, hidden=5)
    inner, inner_bias = p["inner.weight"].reshape(3, 5, D), p["inner.bias"].reshape(3, 5)
    outer = p["outer.weight"].reshape(D, 3, 5)

    def of(b, k, here):
        each = []
        for m in here:
            token = x[0][b, m, k]
            score = p["route.weight"] @ token + p["preference"][m, 0]
            best = np.argsort(-score)[:top]
            gate = softmax(score[best])
            says = [outer[:, i] @ gelu(inner[i] @ token + inner_bias[i]) + p["shift"][i] for i in best]
            each.append(gate @ np.array(says))
        return np.mean(each, 0)

    check(fused(made, x), each_position(x, of))


def test_embracenet_evaluates_the_expectation(x):
    made, p = shaken("embracenet")

    def docked(b, m, k):
        return np.maximum(0, p["dock.weight"][m] @ x[0][b, m, k] + p["dock.bias"][m])

    check(fused(made, x), each_position(x, lambda b, k, here: np.mean([docked(b, m, k) for m in here], 0)))


@pytest.mark.parametrize("sampling", [1.0, 0.25])
def test_embracenet_trains_on_draws_from_the_present(sampling):
    """Of 4,000 features: each from a modality present, all equally often, the rest their mean."""
    made = strategy("embracenet", width=4000, tokens=1, sampling=sampling).train()
    mask = torch.tensor([[True, False, True]]).unsqueeze(-1)
    with torch.no_grad():
        made.dock.weight.zero_()
        made.dock.bias.copy_(torch.tensor([1.0, 2.0, 4.0]).unsqueeze(1).expand(3, 4000))
        torch.manual_seed(0)
        z = made(torch.zeros(1, 3, 1, 4000), mask).tokens.flatten()
        shares = torch.vmap(lambda m: made(torch.zeros(1, 3, 1, 4000), m).tokens.mean(), randomness="different")
        drawn = shares(mask.expand(5, 1, 3, 1).clone())
    assert set(z.unique().tolist()) == ({1.0, 4.0} if sampling == 1 else {1.0, 2.5, 4.0})
    sd = math.sqrt(4000 * sampling / 2 * (1 - sampling / 2))
    for value in (1.0, 4.0):
        assert abs((z == value).sum() - 4000 * sampling / 2) < 4 * sd
    assert len(drawn.unique()) == 5


def test_posterior(x):
    made, p = shaken("posterior")

    def of(b, k, here):
        """The product of Gaussians by its two natural parameters; the prior N(0, 1) has 1 and 0."""
        precision, linear = np.ones(D), np.zeros(D)
        for m in here:
            mean, score = np.split(p["expert.weight"][m] @ x[0][b, m, k] + p["expert.bias"][m], 2)
            precision, linear = precision + softplus(score), linear + softplus(score) * mean
        return linear / precision

    check(fused(made, x), each_position(x, of))


def test_a_tensor_that_does_not_fit_is_said_before_it_is_built():
    with pytest.raises(UserError) as raised:
        TFN(("a", "b", "c", "d", "e", "f"), 256, 1, hidden=256)
    assert f"= {257**6:,} features" in str(raised.value)
    # 8^6 · 256 weights · 4 copies · 4 bytes are 1 GiB, to the byte
    assert "Lower fusion.hidden (7 fits)" in str(raised.value)
    assert strategy("tfn").project.in_features == 9**M


def test_more_experts_at_once_than_there_are_is_refused():
    with pytest.raises(UserError, match=r"fusion.top=3: more than fusion.experts=2. Give at most 2."):
        strategy("experts", experts=2, top=3)
