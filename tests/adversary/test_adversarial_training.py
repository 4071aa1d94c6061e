"""Adversarial training: plain training is untouched, any strategy and balancing goes with it, and it protects."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import flow
import tiny
from crossfade import experiment
from crossfade.adversary.attack import pgd, radius_of
from crossfade.adversary.base import NoAdversary
from crossfade.balance.base import total_loss
from crossfade.batch import Batch
from crossfade.build import build_adversary
from crossfade.config import OptimConfig, compose
from crossfade.data.scale import Scale
from crossfade.errors import UserError
from crossfade.evaluation.evaluate import evaluate
from crossfade.layers.embedding import Embedding
from crossfade.model import FusionModel
from crossfade.seeding import seeded
from crossfade.specs import ModalitySpec
from crossfade.targets import make_target
from crossfade.training.module import FusionModule

NAMES = ("camera", "note", "table")
METHODS = [name for name in tiny.options("adversary") if name != "none"]
OPTIM = OptimConfig(lr=1e-3, pretrained_lr=1e-4, weight_decay=0.05, betas=[0.9, 0.98], warmup=0.0, schedule="constant")
SCALES = {
    "camera": Scale(tiny.SPECS["camera"], torch.zeros(3, 1, 1), torch.ones(3, 1, 1), None),
    "table": Scale(tiny.SPECS["table"], torch.zeros(2), torch.tensor([1.0, 0.0]), (-10.0, 10.0)),
}


def adversary(name, scales=SCALES, **fields):
    return tiny.made(tiny.part("adversary", name, **fields), scales=scales)


def batch(samples=12, seed=0):
    presence = torch.ones(samples, 3, dtype=torch.bool)
    presence[0] = torch.tensor([True, False, False])
    presence[1, 0] = False
    truth = {"kind": torch.arange(samples) % 3, "size": torch.linspace(0, 6, samples)[:, None]}
    truth["kind"][2] = -1
    return Batch(tiny.inputs(NAMES, samples, seed), presence, truth, [str(i) for i in range(samples)])


def module(model, balance="none"):
    with seeded(0, "balance"):
        method = tiny.made(tiny.part("balance", balance), model=model)
    return FusionModule(model, OPTIM, 10, 0, balance=method)


def test_without_it_a_step_is_the_plain_one_and_nothing_is_added():
    model = tiny.model(NAMES, targets=("kind", "size")).train()
    given, plain = batch(), module(model)
    assert isinstance(plain.adversary, NoAdversary)
    assert plain.adversary.perturb(model, given) is given  # not a copy, not a draw
    assert not any("adversary" in key for key in plain.state_dict())
    with seeded(0, "step"):
        loss = plain.training_step(given, 0)
    with seeded(0, "step"):
        expected = total_loss(model, model(given.inputs, given.presence), given.truth)
    assert torch.equal(loss, expected)


@pytest.mark.parametrize("balance", tiny.options("balance"))
@pytest.mark.parametrize("strategy", ["weighted", "attention", "late"])
@pytest.mark.parametrize("name", METHODS)
def test_a_step_goes_with_any_strategy_and_balancing(name, strategy, balance):
    model = tiny.model(NAMES, strategy, targets=("kind", "size")).train()
    made = module(model, balance)
    made.adversary = adversary(name)
    made.training_step(batch(), 0).backward()
    assert model.training
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients
    assert all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("name", METHODS)
def test_the_batch_that_is_trained_on_differs_in_the_inputs_of_what_is_there(name):
    model, given = tiny.model(NAMES, targets=("kind", "size")).train(), batch()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    found = adversary(name, epsilon=0.2, share=1.0).perturb(model, given)
    assert found.presence is given.presence
    assert found.truth is given.truth
    assert found.inputs["note"] is given.inputs["note"]
    step = (found.inputs["camera"] - given.inputs["camera"]).flatten(1).abs().amax(1)
    assert step[1] == 0  # absent
    assert (step[[0, *range(2, 12)]] > 0).all()
    assert step.max() <= 0.2 + 1e-6
    assert torch.equal(found.inputs["table"][:, 1].nan_to_num(), given.inputs["table"][:, 1].nan_to_num())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())  # no batch norm has moved
    with torch.no_grad():
        model.eval()
        losses = [total_loss(model, model(b.inputs, b.presence), b.truth) for b in (given, found)]
    assert losses[0] < losses[1]


def test_a_share_of_the_samples_is_perturbed_and_features_are_not():
    model, given = tiny.model(NAMES, targets=("kind", "size")), batch(300)
    with seeded(0, "test"):
        found = adversary("fgsm", share=0.3).perturb(model, given)
    moved = (found.inputs["camera"] != given.inputs["camera"]).flatten(1).any(1)
    assert moved.float().mean().item() == pytest.approx(0.3, abs=0.08)
    whole = adversary("fgsm", share=0.0).perturb(model, given)
    assert torch.equal(whole.inputs["camera"], given.inputs["camera"])
    tokens, mask = model.encode("camera", given.inputs["camera"], given.presence[:, 0])
    kept = Batch({n: given.inputs[n] for n in ("note", "table")}, given.presence, given.truth, given.ids,
                 {"camera": (tokens.detach(), mask)})  # fmt: skip
    found = adversary("fgsm", share=1.0).perturb(model, kept)
    assert sorted(found.inputs) == ["note", "table"]
    assert found.features is kept.features


def test_trained_against_it_a_model_holds_where_a_plain_one_does_not():
    """Tsipras et al. 2019 (arXiv:1805.12152), section 2.1: one strong feature, right in 85 %, and many weak ones.

    The weak ones together are surer, but an attack of ε = 0.6 turns them all; the strong one, ±1, it does not turn.
    """
    specs = {n: ModalitySpec(name=n, kind="table", column=[f"{n}{i}" for i in range(10)]) for n in ("a", "b")}
    scales = {n: Scale(specs[n], torch.zeros(10), torch.ones(10), (-10.0, 10.0)) for n in specs}

    def sample(count, rng):
        y = rng.integers(0, 2, count)
        sign = 2.0 * y - 1
        weak = rng.normal(0.5 * sign[:, None], 1.0, (count, 20))
        weak[:, 0] = np.where(rng.random(count) < 0.85, sign, -sign)
        x = torch.tensor(weak, dtype=torch.float32)
        here = torch.ones(count, 2, dtype=torch.bool)
        return Batch({"a": x[:, :10], "b": x[:, 10:]}, here, {"kind": torch.tensor(y)}, [""] * count)

    def trained(method):
        with seeded(0, "model"):
            encoders = {n: tiny.made(tiny.part("encoder/table", "linear", hidden=16), spec=specs[n],
                                     fitted={"cardinality": [0] * 10}) for n in specs}  # fmt: skip
            fusion = tiny.made(tiny.part("fusion", "concat"), modalities=("a", "b"), width=16, tokens=1)
            core = tiny.made(tiny.part("core", "none"), width=16, length=fusion.length)
            fitted = {"classes": ["0", "1"], "counts": [1, 1]}
            targets = {"kind": make_target(tiny.TARGETS["kind"][0], fitted, 16)}
            model = FusionModel(encoders, {n: n for n in specs}, {n: Embedding(16, 16, 1) for n in specs}, fusion, core,
                                targets)  # fmt: skip
            optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
            rng = np.random.default_rng(0)
            for _ in range(120):
                given = method.perturb(model, sample(128, rng))
                loss = total_loss(model, model(given.inputs, given.presence), given.truth)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return model.eval()

    def accuracy(model, epsilon):
        given = sample(1000, np.random.default_rng(1))
        radius = {n: radius_of(given.inputs[n], given.presence[:, 0], scales[n], epsilon) for n in specs}
        start = {n: torch.zeros(1000, 10) for n in specs}
        x = pgd(lambda m: total_loss(model, model(m, given.presence), given.truth), given.inputs, radius, scales, 5,
                start)  # fmt: skip
        with torch.no_grad():
            return (model(x, given.presence)["kind"].argmax(1) == given.truth["kind"]).float().mean().item()

    plain, robust = trained(NoAdversary()), trained(adversary("pgd", scales, epsilon=0.6, steps=3))
    assert accuracy(plain, 0.0) > 0.93
    assert accuracy(plain, 0.6) < 0.5
    assert accuracy(robust, 0.6) > 0.75


def test_a_run_with_it_is_trained_and_reopened_from_its_folder(tmp_path):
    config = flow.config(flow.data_set(tmp_path), "adversary=fgsm", "balance=modality_dropout", "trainer.epochs=2")
    summary = experiment.run(config, tmp_path / "run")
    assert evaluate(tmp_path / "run")["metrics"] == summary["metrics"]
    plain = flow.config(tmp_path / "set.csv", "balance=modality_dropout", "trainer.epochs=2")
    assert experiment.run(plain, tmp_path / "plain")["metrics"] != summary["metrics"]


@pytest.mark.parametrize(("setting", "message"), [
    ("adversary.epsilon=0", "adversary.epsilon=0: must be above 0"),
    ("adversary.share=1.5", "adversary.share=1.5: must be in [0, 1]"),
    ("adversary.step=3", "adversary.step"),
    ("task.modalities=[note]", "adversary=pgd: perturbs values that are numbers, and the run has only text (note)"),
])  # fmt: skip
def test_settings_that_cannot_be_are_refused_before_training(setting, message):
    with pytest.raises(UserError) as found:
        compose("adversary=pgd", setting)
    assert message in str(found.value)


def test_a_run_that_it_could_not_perturb_is_refused_and_a_single_text_is_trained_without(monkeypatch):
    def scales_of(data):
        return {n: None for n in data.transforms if n != "note"}

    monkeypatch.setattr("crossfade.build.scales_of", scales_of)

    def data(names, features):
        return SimpleNamespace(transforms=dict.fromkeys(names), samples=SimpleNamespace(features=features))

    config = compose("adversary=fgsm")
    assert build_adversary(config, data(["camera", "note"], {})).scales == {"camera": None}
    assert isinstance(build_adversary(config, data(["note"], {})), NoAdversary)
    with pytest.raises(UserError, match="there is nothing to perturb"):
        build_adversary(config, data(["camera", "note"], {"camera": None}))
    assert isinstance(build_adversary(compose(), None), NoAdversary)
