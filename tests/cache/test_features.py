"""Features of frozen encoders, computed once: the same output as from the raw values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tiny
from crossfade.cache.features import compute_features, encoded, known_features
from crossfade.encoders.base import Encoder
from crossfade.layers.embedding import Embedding
from crossfade.model import FusionModel
from crossfade.registry import default_choices
from crossfade.targets import make_target
from fake_source import SPECS, TARGETS, Fake, data

FROZEN = ("note", "scan")
ABSENT = {(0, "scan"), (1, "note"), (2, "power"), (3, "labs")}


def model_of(module, tokens):
    """A model for the fake source; note and scan are frozen."""
    kinds = {name: spec.kind for name, spec in SPECS.items()}
    torch.manual_seed(0)
    encoders = {}
    for name, kind in kinds.items():
        fields = {**tiny.SMALL[kind], "frozen": name in FROZEN, "pool": "mean" if tokens == 1 else "none"}
        if kind == "image":
            fields["model"] = "test_resnet"
        described = tiny.part(f"encoder/{kind}", default_choices()[f"encoder/{kind}"], **fields)
        encoders[name] = tiny.made(described, spec=SPECS[name], fitted=module.fitted["modalities"][name])
        encoders[name].freeze()
    embeddings = {name: Embedding(encoder.width, tiny.WIDTH, tokens) for name, encoder in encoders.items()}
    fusion = tiny.made(tiny.part("fusion", "weighted"), modalities=tuple(SPECS), width=tiny.WIDTH, tokens=tokens)
    core = tiny.made(tiny.part("core", "transformer", dropout=0.0), width=tiny.WIDTH, length=fusion.length)
    heads = {name: make_target(spec, module.fitted["targets"][name], tiny.WIDTH) for name, spec in TARGETS.items()}
    return FusionModel(encoders, {m: m for m in SPECS}, embeddings, fusion, core, heads)


@pytest.mark.parametrize("tokens", [1, 3])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("memory_gb", [0.0, 1.0])
def test_features_give_the_output_of_the_raw_values(tokens, training, memory_gb):
    module = data(Fake(12, absent=ABSENT), memory_gb=memory_gb, split=(0.5, 0.25, 0.25))
    module.prepare()
    model = model_of(module, tokens).train(training)
    for encoder in model.encoders.values():
        encoder.train(training and encoder.frozen)  # no dropout in those that train
    rows = [3, 0, 1, 2]
    raw = module.samples[rows]
    compute_features(model, module)
    expected = model(raw.inputs, raw.presence)
    with known_features(model, module, "test"):  # some of these rows are not for training
        batch = module.samples[rows]
    assert set(batch.features) == set(FROZEN)
    assert not set(FROZEN) & set(batch.inputs)  # what is known already is not served again
    out = model(batch.inputs, batch.presence, batch.features)
    for name, value in out.items():
        torch.testing.assert_close(value, expected[name], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tokens", [1, 3])
def test_features_let_the_gradient_through_to_what_trains(tokens):
    module = data(Fake(12))
    module.prepare()
    model = model_of(module, tokens).train()
    compute_features(model, module)
    batch = module.samples[module.split["train"].tolist()]
    sum(o.square().sum() for o in model(batch.inputs, batch.presence, batch.features).values()).backward()
    for name in FROZEN:
        assert model.embeddings[name].project.weight.grad.any()
        assert all(p.grad is None for p in model.encoders[name].parameters())
    assert any(p.grad is not None and p.grad.any() for p in model.encoders["labs"].parameters())


def test_without_a_frozen_encoder_there_are_no_features():
    module = data(Fake(12))
    module.prepare()
    model = model_of(module, 1)
    for encoder in model.encoders.values():
        encoder.frozen = False
        encoder.requires_grad_(True)
    compute_features(model, module)
    assert not module.samples.features


def test_one_token_keeps_one_vector_a_sample():
    module = data(Fake(12))
    module.prepare()
    model = model_of(module, 1)
    compute_features(model, module)
    tokens, mask = module.samples.features["scan"]
    assert tokens.shape == (12, 1, model.encoders["scan"].width)
    assert mask[module.split["train"]].all()


def test_features_are_standardised_by_the_training_samples_that_have_them():
    module = data(Fake(12, absent=ABSENT))
    module.prepare()
    model = model_of(module, 1)
    train = module.split["train"]
    compute_features(model, module)
    tokens, _ = module.samples.features["scan"]
    here = module.samples.present[train, list(SPECS).index("scan")]
    seen = tokens[train][here][:, 0]
    embedding = model.embeddings["scan"]
    standard = (seen - embedding.shift) * embedding.scale
    varies = seen.std(0) > 1e-6
    assert varies.any()
    torch.testing.assert_close(standard.mean(0), torch.zeros_like(standard[0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(standard.std(0)[varies], torch.ones(int(varies.sum())), atol=1e-4, rtol=0)
    assert model.embeddings["labs"].shift.eq(0).all()  # its encoder trains
    assert model.embeddings["labs"].scale.eq(1).all()


def test_a_feature_that_never_varies_is_only_shifted():
    embedding = Embedding(2, 4, 1)
    embedding.standardise(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
    assert embedding.shift.tolist() == [2.0, 5.0]
    assert embedding.scale[1] == 1


@pytest.mark.parametrize("tokens", [1, 3])
def test_a_training_computes_its_own_rows_and_scoring_the_others(tokens):
    module = data(Fake(2 * Encoder.chunk + 20, absent=ABSENT))
    module.prepare()
    model = model_of(module, tokens).eval()
    sizes = set()
    for name in FROZEN:
        model.encoders[name].register_forward_pre_hook(lambda e, inputs: sizes.add(len(inputs[0]) == e.chunk))
    compute_features(model, module)
    assert sizes == {True}  # however many samples are left: kernels differ with the size of a batch
    train, val, test = (module.split[name] for name in ("train", "val", "test"))
    own = np.concatenate([train, val])
    assert all(x[own].isfinite().all() and x[test].isnan().all() for x, _ in module.samples.features.values())
    with known_features(model, module, "test"):
        found = {name: (x.clone(), mask.clone()) for name, (x, mask) in module.samples.features.items()}
    rows = np.sort(np.concatenate([own, test]))
    for name, (x, mask) in found.items():
        parts = list(encoded(model, module, name, rows, tokens == 1, torch.device("cpu")))
        at_once, mask_at_once = (torch.cat([part[i] for part in parts]) for i in (1, 2))
        assert torch.equal(mask[rows], mask_at_once)
        torch.testing.assert_close(x[rows], at_once, atol=1e-5, rtol=1e-5)


def test_what_nobody_keeps_is_not_computed_for_scoring():
    module = data(Fake(12))
    module.prepare()
    model = model_of(module, 1).eval()
    with known_features(model, module, "test"):
        assert not module.samples.features
    assert not module.samples.known


def test_a_fill_that_breaks_off_is_not_taken_for_known(monkeypatch):
    module = data(Fake(2 * Encoder.chunk))
    module.prepare()
    model = model_of(module, 1).eval()
    compute_features(model, module)
    before = {name: arrays["rows"].copy() for name, (_, arrays) in module.samples.known.items()}
    monkeypatch.setattr(type(module.samples), "values", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), known_features(model, module, "test"):
        pass
    assert all((module.samples.known[name][1]["rows"] == rows).all() for name, rows in before.items())
    monkeypatch.undo()
    with known_features(model, module, "test"):
        test = module.split["test"].tolist()
        assert all(x.isfinite().all() for x, _ in module.samples[test].features.values())
