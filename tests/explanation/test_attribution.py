"""Integrated gradients: exact where the model is linear, complete where it is not, and captum's own for a text."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tiny
from crossfade.batch import Batch
from crossfade.explanation.attribution import integrated_gradients
from crossfade.model import FusionModel
from crossfade.targets import make_target

captum = pytest.importorskip("captum.attr", reason='captum is not installed: pip install -e ".[explain]"')
KINDS = {name: spec.kind for name, spec in tiny.SPECS.items()}


def batch_of(modalities, samples=3, presence=None):
    inputs = tiny.inputs(modalities, samples, seed=1)
    if presence is None:
        presence = torch.ones(samples, len(modalities), dtype=torch.bool)
    return Batch(inputs, presence, {}, [str(i) for i in range(samples)])


class Straight(FusionModel):
    """A size that is linear in the camera's and the power's values, a missing one counting as 0."""

    def __init__(self):
        nn.Module.__init__(self)
        self.modalities = ("camera", "power")
        self.encoder_of = {"camera": "camera", "power": "power"}
        self.encoders = nn.ModuleDict({name: tiny.encoder(name) for name in self.modalities})
        self.targets = nn.ModuleDict({"size": make_target(*tiny.TARGETS["size"], tiny.WIDTH)})
        torch.manual_seed(0)
        self.camera, self.power = nn.Parameter(torch.randn(3, 32, 32)), nn.Parameter(torch.randn(20, 2))

    def forward(self, inputs, presence, features=None):
        weighed = (inputs["camera"] * self.camera).flatten(1).sum(1)
        return {"size": (weighed + (inputs["power"].nan_to_num(0.0) * self.power).flatten(1).sum(1))[:, None]}


def test_of_a_linear_model_they_are_weight_times_way_with_any_number_of_steps():
    model, batch = Straight(), batch_of(("camera", "power"))
    batch.inputs["power"][0, 3] = float("nan")
    average = {"camera": torch.full((3, 32, 32), 0.25)}
    found = integrated_gradients(model, KINDS, "size", batch, average, steps=2)
    sd = 2.0  # of the target
    wanted = sd * model.camera * (batch.inputs["camera"] - 0.25)
    torch.testing.assert_close(found.places["camera"], wanted.detach(), atol=1e-4, rtol=1e-4)
    wanted = sd * model.power * batch.inputs["power"].nan_to_num(0.0)
    torch.testing.assert_close(found.places["power"], wanted.detach(), atol=1e-4, rtol=1e-4)
    assert found.steps.tolist() == [2] * 3
    assert found.gap.abs().max() < 1e-3


MODALITIES = ("audio", "camera", "lidar", "note", "power", "table")


@pytest.mark.parametrize("target", ["kind", "signs", "size"])
def test_they_sum_to_what_the_inputs_change(target):
    presence = torch.ones(3, 6, dtype=torch.bool)
    presence[1, 3] = False
    model, batch = tiny.model(MODALITIES, fusion="gmu"), batch_of(MODALITIES, presence=presence)
    found = integrated_gradients(model, KINDS, target, batch)
    total = sum(x.flatten(1).sum(1) for x in found.places.values())
    torch.testing.assert_close(total, found.value - found.baseline, atol=1e-3, rtol=0)
    part = model.targets[target]
    said = part.prediction(model(batch.inputs, presence)[target])
    chosen, names = part.explained(said)
    torch.testing.assert_close(found.value, said.gather(1, chosen[:, None])[:, 0])
    assert found.names == names
    assert (found.places["note"][1] == 0).all()  # absent
    assert found.places["camera"].abs().sum() > 0
    assert set(found.places) == {"audio", "camera", "note", "power", "table"}  # no path leads to a cloud


def test_the_beginning_is_the_model_at_the_average():
    """Camera and power enter as they are, so f(baseline) can be had from the model itself."""
    modalities = ("camera", "power")
    model, batch = tiny.model(modalities), batch_of(modalities)
    average = {"camera": batch.inputs["camera"].mean(0), "power": batch.inputs["power"].mean(0)}
    found = integrated_gradients(model, KINDS, "kind", batch, average)
    chosen = model(batch.inputs, batch.presence)["kind"].softmax(-1).argmax(1)
    begun = model({n: average[n].expand_as(x) for n, x in batch.inputs.items()}, batch.presence)["kind"].softmax(-1)
    torch.testing.assert_close(found.baseline, begun.gather(1, chosen[:, None])[:, 0])


def test_of_words_they_are_captums_own_at_the_embedding_layer():
    model, batch = tiny.model(("note",), targets=("kind",)), batch_of(("note",))
    found = integrated_gradients(model, KINDS, "kind", batch, steps=32, most=32)
    ids = batch.inputs["note"]
    chosen = model(batch.inputs, batch.presence)["kind"].argmax(1)
    mask = (ids != 0).long()

    def f(x, mask):  # the mask stays the text's: what is integrated over are the embeddings
        tokens = model.encoders["note"].body(input_ids=x, attention_mask=mask).last_hidden_state
        pooled = (tokens * mask[..., None]).sum(1, keepdim=True) / mask.sum(1)[:, None, None]
        embedded = model.embeddings["note"](pooled, torch.ones(len(x), 1, dtype=torch.bool))
        return model.decide(embedded[:, None], torch.ones(len(x), 1, 1, dtype=torch.bool))["kind"].softmax(-1)

    layer = captum.LayerIntegratedGradients(f, model.encoders["note"].body.get_input_embeddings())
    wanted = layer.attribute(
        ids, torch.zeros_like(ids), target=chosen, additional_forward_args=(mask,), n_steps=32, method="gausslegendre"
    )
    torch.testing.assert_close(found.places["note"], wanted.sum(-1), atol=1e-6, rtol=1e-4)
    assert found.places["note"].abs().max() > 1e-4
    assert (found.places["note"][:, 6:] == 0).all()  # padding


def test_an_entry_that_is_missing_adds_nothing():
    batch = batch_of(("table", "power"))
    batch.inputs["table"][0, 0] = float("nan")
    found = integrated_gradients(tiny.model(("power", "table")), KINDS, "kind", batch)
    assert found.places["table"][0, 0] == 0
    assert (found.places["table"][1:, 0] != 0).all()
    assert (found.places["table"][:, 1] != 0).all()  # a category, though its number has no gradient


def test_modalities_that_share_an_encoder_are_told_apart():
    """The same as with a copy of the encoder each."""
    spec_of, batch = tiny.model(("note", "power")), batch_of(("note",))
    encoder, embedding = spec_of.encoders["note"], spec_of.embeddings["note"]
    kinds = {"first": "text", "second": "text"}
    first, second = batch.inputs["note"], batch.inputs["note"].flip(0)
    both = Batch({"first": first, "second": second}, torch.ones(3, 2, dtype=torch.bool), {}, batch.ids)

    def model(of):
        names = set(of.values())
        embeddings = {"first": embedding, "second": embedding}
        return FusionModel(dict.fromkeys(names, encoder), of, embeddings, spec_of.fusion, spec_of.core, spec_of.targets)

    shared = integrated_gradients(model({"first": "one", "second": "one"}).eval(), kinds, "kind", both)
    apart = integrated_gradients(model({"first": "a", "second": "b"}).eval(), kinds, "kind", both)
    for name in kinds:
        torch.testing.assert_close(shared.places[name], apart.places[name])
    assert not torch.allclose(shared.places["first"], shared.places["second"])


def test_more_steps_are_taken_where_the_sum_is_not_complete_and_the_model_stays_as_it_was():
    model, batch = tiny.model(("camera", "table")), batch_of(("camera", "table"))
    before = {name: p.clone() for name, p in model.state_dict().items()}
    found = integrated_gradients(model, KINDS, "size", batch, steps=1)
    assert found.steps.max() > 1
    assert (found.gap.abs() <= 1e-3 * (found.value - found.baseline).abs().clamp(min=1)).all()
    once = integrated_gradients(model, KINDS, "size", batch, steps=1, most=1)
    assert once.steps.tolist() == [1] * 3
    assert once.gap.abs().max() > 1e-3
    assert all(torch.equal(before[name], p) for name, p in model.state_dict().items())
    assert all(p.requires_grad for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
