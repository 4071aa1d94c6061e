"""Properties of every strategy in conf/fusion, found by walking the folder."""

from __future__ import annotations

import copy
import io

import pytest
import torch

import tiny

STRATEGIES = tiny.options("fusion")
MODALITIES = ("camera", "note", "table")
every_strategy = pytest.mark.parametrize("fusion", STRATEGIES)
vector_and_tokens = pytest.mark.parametrize("tokens", [1, 3])


def run(model, inputs, presence):
    with torch.no_grad():
        return model(inputs, presence)


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


@every_strategy
@vector_and_tokens
def test_shapes_and_all_presence_patterns_are_finite(fusion, tokens):
    model = tiny.model(MODALITIES, fusion, tokens, shared=True)
    presence = tiny.patterns(3)
    out = run(model, tiny.inputs(MODALITIES, 7), presence)
    assert {name: tuple(o.shape) for name, o in out.items()} == {
        "kind": (7, 3),
        "signs": (7, 2),
        "size": (7, 1),
    }
    assert all(o.isfinite().all() for o in out.values())


@every_strategy
@vector_and_tokens
@pytest.mark.parametrize("training", [False, True])
def test_absent_values_change_no_bit(fusion, tokens, training):
    model = tiny.model(MODALITIES, fusion, tokens, shared=True).train(training)
    presence = tiny.patterns(3)
    clean = tiny.inputs(MODALITIES, 7)
    dirty = {
        name: torch.where(presence[:, m].view(-1, *[1] * (x.ndim - 1)), x, tiny.spoiled(x))
        for m, (name, x) in enumerate(clean.items())
    }
    torch.manual_seed(0)
    a = run(model, clean, presence)
    torch.manual_seed(0)
    assert same(a, run(model, dirty, presence))


@every_strategy
def test_absence_is_not_a_zero_input(fusion):
    model = tiny.model(MODALITIES, fusion, shared=True)
    inputs = tiny.inputs(MODALITIES, 4)
    zero = {**inputs, "camera": torch.zeros_like(inputs["camera"])}
    everything = torch.ones(4, 3, dtype=torch.bool)
    without = everything.clone()
    without[:, 0] = False
    assert not torch.allclose(run(model, zero, everything)["kind"], run(model, zero, without)["kind"])


@every_strategy
@vector_and_tokens
def test_a_prediction_depends_on_its_sample_alone(fusion, tokens):
    model = tiny.model(MODALITIES, fusion, tokens, shared=True)
    presence = tiny.patterns(3)
    inputs = tiny.inputs(MODALITIES, 7)
    out = run(model, inputs, presence)
    neighbours = tiny.inputs(MODALITIES, 7, seed=1)
    mixed = {name: torch.cat([x[:1], neighbours[name][1:]]) for name, x in inputs.items()}
    other = presence.flip(0).clone()
    other[0] = presence[0]
    beside = run(model, mixed, other)
    alone = run(model, {name: x[:1] for name, x in inputs.items()}, presence[:1])
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    shuffled = run(model, {name: x[order] for name, x in inputs.items()}, presence[order])
    for name in out:
        # the same sample at the same place: the same bits; elsewhere matrix products may round differently
        assert torch.equal(beside[name][0], out[name][0])
        torch.testing.assert_close(alone[name][0], out[name][0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(shuffled[name], out[name][order], atol=1e-5, rtol=1e-5)


@every_strategy
def test_the_order_of_the_modalities_cannot_matter(fusion):
    inputs = tiny.inputs(MODALITIES, 7)
    a = tiny.model(MODALITIES, fusion, shared=True)
    b = tiny.model(MODALITIES[::-1], fusion, shared=True)
    assert same(run(a, inputs, tiny.patterns(3)), run(b, dict(reversed(inputs.items())), tiny.patterns(3)))


@every_strategy
@vector_and_tokens
@pytest.mark.parametrize("core", tiny.options("core"))
def test_a_gradient_reaches_every_parameter_and_modality(fusion, tokens, core):
    fields = {"alpha": "learned"} if fusion == "weighted" else {}
    model = tiny.model(tuple(tiny.SPECS), fusion, tokens, core, fusion_fields=fields).train()
    presence = tiny.patterns(len(tiny.SPECS))
    inputs = tiny.inputs(tuple(tiny.SPECS), len(presence))
    table = inputs["table"].clone()
    table[::3] = float("nan")  # missing entries, so that their embedding is used
    out = model({**inputs, "table": table}, presence)
    torch.manual_seed(0)
    sum((o * torch.randn_like(o)).sum() for o in out.values()).backward()
    without = [
        name
        for name, p in model.named_parameters()
        # what a softmax cannot see: a constant added to every key; and words that the batch has not
        if p.grad is None or (not p.grad.any() and not name.endswith("key.bias"))
    ]
    assert not without


@every_strategy
def test_save_and_load_give_the_same_output(fusion):
    model = tiny.model(MODALITIES, fusion)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = tiny.model(MODALITIES, fusion, seed=1)
    inputs, presence = tiny.inputs(MODALITIES, 7), tiny.patterns(3)
    assert not same(run(model, inputs, presence), run(other, inputs, presence))
    other.load_state_dict(torch.load(file, weights_only=True))
    assert same(run(model, inputs, presence), run(other, inputs, presence))


@every_strategy
@vector_and_tokens
def test_bf16_is_finite(fusion, tokens):
    model = tiny.model(MODALITIES, fusion, tokens, shared=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = run(model, tiny.inputs(MODALITIES, 7), tiny.patterns(3))
    assert all(o.isfinite().all() for o in out.values())


@every_strategy
def test_one_modality_alone_works_and_vmap_runs(fusion):
    model = tiny.model(("table",), fusion, shared=True)
    inputs, presence = tiny.inputs(("table",), 6), torch.ones(6, 1, dtype=torch.bool)
    out = run(model, inputs, presence)
    assert out["kind"].isfinite().all()
    stacked = torch.vmap(lambda x, p: model.fusion(x, p).tokens)
    tokens, mask = torch.randn(4, 6, 1, 1, tiny.WIDTH), torch.ones(4, 6, 1, 1, dtype=torch.bool)
    torch.testing.assert_close(stacked(tokens, mask)[2], model.fusion(tokens[2], mask[2]).tokens)


@every_strategy
def test_train_and_eval_agree_without_dropout(fusion):
    model = tiny.model(MODALITIES, fusion)
    training = copy.deepcopy(model).train()
    for module in training.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0
        if isinstance(getattr(module, "dropout_prob", None), float):
            module.dropout_prob = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = 0.0
        if isinstance(getattr(module, "sampling", None), float):
            module.sampling = 0.0
    a, b = (run(m, tiny.inputs(MODALITIES, 7), tiny.patterns(3)) for m in (model, training))
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tokens", [1, 3])
@pytest.mark.parametrize("name", MODALITIES)
def test_alpha_one_is_the_unimodal_model_bit_for_bit(name, tokens):
    full = tiny.model(MODALITIES, "weighted", tokens, fusion_fields={"alpha": {name: 1.0}})
    single = tiny.model((name,), "weighted", tokens, fusion_fields={"alpha": {name: 1.0}})
    inputs = tiny.inputs(MODALITIES, 5)
    a = run(full, inputs, torch.ones(5, 3, dtype=torch.bool))
    b = run(single, {name: inputs[name]}, torch.ones(5, 1, dtype=torch.bool))
    assert same(a, b)


def test_alpha_cannot_be_undone_by_rescaling_an_encoder():
    model = tiny.model(MODALITIES, "weighted", fusion_fields={"alpha": {"camera": 0.3, "note": 0.7}})
    inputs, presence = tiny.inputs(MODALITIES, 5), torch.ones(5, 3, dtype=torch.bool)
    before = run(model, inputs, presence)
    with torch.no_grad():
        for p in model.embeddings["camera"].project.parameters():
            p.mul_(100.0)
    for name, value in run(model, inputs, presence).items():
        torch.testing.assert_close(value, before[name], atol=1e-4, rtol=1e-4)
