"""Whatever a feature depends on changes its key, and nothing else does."""

from __future__ import annotations

import copy

import pytest
import torch

import tiny
from crossfade.cache.keys import feature_key
from fake_source import SPECS, Fake, data


@pytest.fixture(scope="module")
def prepared():
    return {memory_gb: ready(memory_gb=memory_gb) for memory_gb in (0.0, 1.0)}


def ready(**fields):
    module = data(Fake(12), **fields)
    module.prepare()
    return module


def samples_of(module):
    """A copy that a test may change."""
    made = copy.copy(module.samples)
    made.kept = {name: kept.clone() for name, kept in made.kept.items()}
    made.read, made.frame = made.read.clone(), copy.copy(made.frame)
    made.source, made.transforms = copy.copy(made.source), copy.deepcopy(made.transforms)
    return made


def image(seed=0):
    torch.manual_seed(seed)
    spec = SPECS["scan"]
    made = tiny.made(tiny.part("encoder/image", "timm", model="test_resnet", frozen=True), spec=spec, fitted={})
    made.part = {"model": "test_resnet", "frozen": True}
    made.freeze()
    return made


def key(encoder, samples, pooled=True, device="cpu", name="scan"):
    return feature_key(encoder, samples, name, pooled, device)


def test_the_same_is_the_same(prepared):
    first, second = ready(), ready(seed=3, batch_size=3, split=(0.5, 0.25, 0.25), absence=None)
    assert first.split["train"].tolist() != second.split["train"].tolist()
    for module in (first, second):  # the mean and sd that images are standardised by differ with the split
        module.samples.kept["scan"] = prepared[1.0].samples.kept["scan"].clone()
    assert key(image(), first.samples) == key(image(), second.samples)
    assert len(key(image(), first.samples)) == 40


def nudge(tensor):
    """The smallest change that a float has."""
    with torch.no_grad():
        flat = tensor.view(-1)
        flat[-1] = torch.nextafter(flat[-1], flat[-1] + 1)


def of_the_encoder():
    def weight(encoder):
        nudge(next(encoder.parameters()))

    def buffer(encoder):
        nudge(floats(encoder)[0])

    def field(encoder):
        encoder.part = {**encoder.part, "pool": "none"}

    def fitted(encoder):
        encoder.fitted = {"length": 3}

    def spec(encoder):
        encoder.spec = encoder.spec.model_copy(update={"range": (0.0, 1.0)})

    def dtype(encoder):
        encoder.double()

    def kind(encoder):
        encoder.__class__ = type("Other", (type(encoder),), {})

    return [weight, buffer, field, fitted, spec, dtype, kind]


def floats(encoder):
    return [buffer for buffer in encoder.buffers() if buffer.is_floating_point()]


@pytest.mark.parametrize("change", of_the_encoder(), ids=lambda change: change.__name__)
def test_another_encoder_is_another_key(prepared, change):
    encoder = image()
    before = key(encoder, prepared[1.0].samples)
    change(encoder)
    assert key(encoder, prepared[1.0].samples) != before


def test_other_weights_of_the_same_encoder_are_another_key(prepared):
    samples = prepared[1.0].samples
    assert key(image(0), samples) != key(image(1), samples)
    one, other = image(0), image(1)
    one.load_state_dict(other.state_dict())  # in place, as a checkpoint is loaded
    assert key(one, samples) == key(other, samples)


def kept_value(samples):
    nudge(samples.kept["scan"][3])


def presence(samples):
    samples.read[4, list(samples.transforms).index("scan")] = False


def ids(samples):
    samples.frame.__dict__["ids"] = [*samples.frame.ids[:-1], "another"]


def fingerprint(samples):
    samples.source.fingerprint = lambda: "other"


def learned(samples):
    samples.transforms["scan"].fitted = {"mean": [1.0], "sd": [2.0]}


def size(samples):
    samples.transforms["scan"].spec = samples.transforms["scan"].spec.model_copy(update={"size": 16})


@pytest.mark.parametrize(
    ("memory_gb", "change"),
    [
        *((1.0, change) for change in (kept_value, presence, ids)),
        *((0.0, change) for change in (presence, ids, fingerprint, learned, size)),
    ],
    ids=lambda x: getattr(x, "__name__", str(x)),
)
def test_other_data_are_another_key(prepared, memory_gb, change):
    encoder, samples = image(), samples_of(prepared[memory_gb])
    before = key(encoder, samples)
    assert before == key(encoder, prepared[memory_gb].samples)
    change(samples)
    assert key(encoder, samples) != before


def test_other_use_is_another_key(prepared, monkeypatch):
    encoder, samples = image(), prepared[1.0].samples
    found = [
        key(encoder, samples),
        key(encoder, samples, pooled=False),
        key(encoder, samples, device="cuda"),
    ]
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "medium")
    found.append(key(encoder, samples))
    assert len(set(found)) == 4


def test_values_changed_in_place_are_seen(prepared):
    encoder, samples = image(), samples_of(prepared[1.0])
    before = key(encoder, samples)
    samples.kept["scan"][0].mul_(2.0)
    assert key(encoder, samples) != before
    samples.kept["scan"][0].mul_(0.5)
    assert key(encoder, samples) == before
