"""The samples follow the law, strategies separate on it as theory says, and a learned α finds the closed form."""

import numpy as np
import pytest
import torch
from torch import nn

from crossfade.build import build_data, build_model
from crossfade.config import compose
from crossfade.data.known.channel import accuracy_of_alpha, optimal_alpha
from crossfade.data.known.laws import LAWS
from crossfade.data.known.synthetic import KnownLaw
from crossfade.encoders.linear import LinearTable
from crossfade.errors import UserError
from crossfade.fusion.elementwise.weighted import Weighted
from crossfade.seeding import seeded
from crossfade.specs import ModalitySpec, TargetSpec

LABEL = {"label": TargetSpec(name="label", kind="multiclass")}


def source(names="ab", seed=0, **fields):
    specs = {m: ModalitySpec(name=m, kind="table", column=[f"{m}1"]) for m in names}
    return KnownLaw(specs, LABEL, seed, **fields)


def observations(law):
    """t (N, M), each ±1 + σ n, and y (N,)."""
    rows = [law.read(i) for i in range(law.samples)]
    seen = np.array([[row[m][f"{m}1"] for m in law.names] for row in rows])
    return seen, np.array([int(y) for y in law.frame().truth["label"]])


def bayes_guess(law, seen, which):
    """argmax_y Σ_s p(s, y) Π_m N(t_m; 2 s_m − 1, σ_m) / p(y), by summing over all bits."""
    odds = np.zeros((len(seen), law.joint.shape[-1]))
    for *bits, y in np.ndindex(*law.joint.shape):
        distance = sum(((seen[:, m] - 2 * bits[m] + 1) / law.sigma[law.names[m]]) ** 2 for m in which)
        odds[:, y] += law.joint[(*bits, y)] * np.exp(-distance / 2)
    return (odds / law.joint.sum(axis=tuple(range(len(law.names))))).argmax(1)


@pytest.mark.parametrize(("law", "names"), [*((law, "ab") for law in LAWS), ("sum", "abc"), ("xor", "abc")])
def test_the_bound_is_what_the_bayes_classifier_reaches(law, names):
    noise = 1.0 if law == "gaussian" else 4.0
    law = source(names, samples=4000, law=law, noise=noise)
    seen, truth = observations(law)
    for which in ([0], [1], range(len(names))):
        guess = bayes_guess(law, seen, which)
        recalls = [(guess[truth == c] == c).mean() for c in np.unique(truth)]
        error = np.sqrt(sum(0.25 / (truth == c).sum() for c in np.unique(truth))) / len(recalls)
        bound = law.bayes("label", [names[m] for m in which])
        assert np.mean(recalls) == pytest.approx(bound.value, abs=4 * error + 1e-3)


def test_without_noise_the_bound_is_by_enumeration():
    assert source(law="xor", noise=0).bayes("label", ["a", "b"]).value == 1
    assert source(law="xor", noise=0).bayes("label", ["a"]).value == 0.5
    assert source(law="and", noise=0).bayes("label", ["a"]).value == pytest.approx((1 + 2 / 3) / 2)
    missing = source(law="copy", noise=0, missing={"a": 0.5}).bayes("label", ["a"]).value
    assert missing == pytest.approx(0.75)


def test_the_dial_goes_from_copy_to_xor():
    one = [source(law="mixture", dial=d, noise=0).bayes("label", ["a"]).value for d in (0, 0.5, 1)]
    assert one == pytest.approx([1, 0.75, 0.5])


def test_a_modality_has_the_same_noise_whoever_stands_beside_it():
    two, three = source("ab", law="copy"), source("abc", law="copy")
    assert two.frame().truth == three.frame().truth
    assert two.read(7)["b"] == three.read(7)["b"]
    assert two.fingerprint() != source("ab", law="copy", noise=2).fingerprint()


@pytest.mark.parametrize(
    ("names", "fields", "words"),
    [
        ("ab", {"law": "xxor"}, "xor"),
        ("ab", {"law": "xor", "dial": 0.5}, "only data.source.law=mixture"),
        ("ab", {"law": "mixture", "dial": 2.0}, r"\[0, 1\]"),
        ("a", {"law": "xor"}, "two modalities"),
        ("ab", {"noise": -1}, "≥ 0"),
    ],
)
def test_mistakes_are_explained(names, fields, words):
    with pytest.raises(UserError, match=words):
        source(names, **fields)


def test_the_linear_encoder_is_affine():
    torch.manual_seed(0)
    spec = ModalitySpec(name="t", kind="table", column=["u", "v", "w"])
    encoder = LinearTable(spec, {"cardinality": [0, 0, 0]}, hidden=8)
    x, y = torch.randn(2, 5, 3)
    out = [encoder(z)[0] for z in (x, y, 0.3 * x + 0.7 * y)]
    assert out[0].shape == (5, 1, 8)
    torch.testing.assert_close(out[2], 0.3 * out[0] + 0.7 * out[1])
    tokens, mask = LinearTable(spec, {"cardinality": [0, 0, 0]}, hidden=8, pool="none")(x)
    assert tokens.shape == (5, 3, 8)
    assert mask.all()


def trained(law, fusion, linear_head=False, steps=250):
    """Balanced accuracy and cross-entropy on the test split, and the bound.

    `linear_head` takes the LayerNorm out of the head: it mixes the modalities a little, even after a sum.
    """
    settings = ("task=synthetic", "width=32", "data.source.samples=3000", "data.split=[0.6,0.05,0.35]")
    config = compose(*settings, f"data.source.law={law}", f"fusion={fusion}")
    data = build_data(config)
    data.prepare()
    model = build_model(config, data.fitted).train()
    target = model.targets["label"]
    if linear_head:
        target.head[0] = nn.Identity()
    train, test = (data.samples[data.split[name].tolist()] for name in ("train", "test"))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    with seeded(0, "fit"):
        for _ in range(steps):
            rows = torch.randint(0, len(train), (64,))
            inputs = {name: x[rows] for name, x in train.inputs.items()}
            loss = target.loss(model(inputs, train.presence[rows])["label"], train.truth["label"][rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        output = model(test.inputs, test.presence)["label"]
    guess, truth = output.argmax(1), test.truth["label"]
    score = np.mean([(guess[truth == c] == c).float().mean() for c in truth.unique()])
    return score, target.loss(output, truth).item(), data.source.bayes("label", ["a", "b"]).value


def test_only_what_multiplies_solves_xor():
    """Logits f(x_1) + g(x_2): right in at most three of the four cells, and cross-entropy ≥ log 2, since by Jensen
    Σ softplus(∓(f + g)) over the cells ≥ 4 softplus(0), the signed logits summing to 0."""
    score, loss, bound = trained("xor", "product")
    assert score > 0.95 * bound
    assert loss < 0.1
    for strategy in ("concat", "weighted"):
        score, loss, _ = trained("xor", strategy, linear_head=True)
        assert score < 0.75 + 0.05
        assert loss > np.log(2) - 0.02


@pytest.mark.parametrize("law", ["copy", "unique", "and"])
def test_adding_is_enough_where_there_is_no_parity(law):
    score, _, bound = trained(law, "concat", linear_head=True)
    assert score > 0.97 * bound


def test_learned_alpha_finds_the_closed_form():
    """Weighted on t_m itself, one linear head: logistic regression, whose best weights are α's closed form."""
    law = source(law="gaussian", samples=8000)
    seen, truth = observations(law)
    sigmas = [law.sigma[m] for m in law.names]
    tokens = torch.tensor(seen, dtype=torch.float32)[:, :, None, None]
    y = torch.tensor(truth, dtype=torch.float32)
    fusion, head = Weighted(("a", "b"), 1, 1, alpha="learned"), nn.Linear(1, 1)
    nn.init.ones_(head.weight)
    optimizer = torch.optim.LBFGS([*fusion.parameters(), *head.parameters()], max_iter=50)

    def closure():
        optimizer.zero_grad()
        z = fusion(tokens, torch.ones(tokens.shape[:3], dtype=torch.bool)).tokens.flatten(0, 2).flatten(1)
        loss = nn.functional.binary_cross_entropy_with_logits(head(z).squeeze(-1), y)
        loss.backward()
        return loss

    optimizer.step(closure)
    best = optimal_alpha(sigmas)
    found = fusion.alpha.detach().numpy()
    assert best == pytest.approx([9 / 13, 4 / 13])
    assert found == pytest.approx(best, abs=0.025)  # three standard errors of a ratio of slopes, n = 8000
    sweep = np.linspace(0, 1, 201)
    scores = [((seen @ [a, 1 - a] > 0) == truth).mean() for a in sweep]
    assert accuracy_of_alpha([sweep[np.argmax(scores)], 1 - sweep[np.argmax(scores)]], sigmas) == pytest.approx(
        accuracy_of_alpha(best, sigmas), abs=0.005
    )
