"""Frozen encoders in whole runs: computed once for all runs, and the same numbers to the last bit."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from test_features import FROZEN, model_of
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

import flow
from crossfade import experiment
from crossfade.cache.entries import entries
from crossfade.cache.features import compute_features, known_features
from crossfade.data.absence.rate import AtRate
from crossfade.data.transforms.text import train_wordpiece
from crossfade.encoders.base import Encoder
from crossfade.encoders.image import TimmEncoder
from crossfade.encoders.text import TextEncoder
from crossfade.evaluation.evaluate import evaluate
from crossfade.evaluation.scored import predictions
from crossfade.runs import RunFolder
from crossfade.training.checkpoint import read_checkpoint
from fake_source import Fake, data

FREEZE = ("encoder.image.frozen=true", "encoder.text.frozen=true", "trainer.epochs=1")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return flow.data_set(tmp_path_factory.mktemp("data"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSFADE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def encoded(monkeypatch):
    """How many samples each frozen encoder was given, by class."""
    for of in (Encoder, TextEncoder):
        monkeypatch.setattr(of, "chunk", 3)  # the splits here are multiples of it: nothing is filled up
    counts: dict[str, int] = {}

    def counting(of: type[Encoder]):
        original = of.forward

        def forward(self, x):
            if len(x) > 1:  # a single one is what the model's cost is measured on
                counts[of.__name__] = counts.get(of.__name__, 0) + len(x)
            return original(self, x)

        monkeypatch.setattr(of, "forward", forward)

    counting(TimmEncoder)
    counting(TextEncoder)
    return counts


def run(manifest, folder, *settings):
    folder.mkdir()
    return experiment.run(flow.config(manifest, *FREEZE, *settings), folder, [])


def numbers(folder):
    """All that a run computed: its last weights, its predictions, its metrics."""
    state = read_checkpoint(folder / "checkpoints" / "last.ckpt")["state_dict"]
    weights = {name: value.numpy().tobytes() for name, value in state.items()}
    return weights, RunFolder(folder).predictions("test").to_dict(), (folder / "metrics.csv").read_bytes()


def test_each_sample_is_encoded_once_for_all_runs(manifest, cache, encoded, tmp_path):
    run(manifest, tmp_path / "first", "singles=true", "patterns=true")
    assert encoded == {"TimmEncoder": 60, "TextEncoder": 60}  # training, scoring, patterns and single modalities too
    encoded.clear()
    run(manifest, tmp_path / "second", "singles=true", "patterns=true", "fusion=sum", "data.batch_size=16")
    evaluate(tmp_path / "second", split="val")
    assert not encoded
    assert sorted(entry.what for entry in entries(cache, ["features"])) == ["note", "scan"]


def test_the_numbers_are_those_without_a_cache(manifest, cache, encoded, tmp_path):
    run(manifest, tmp_path / "without", "features.cache=false")
    assert not cache.exists()
    assert encoded == {"TimmEncoder": 60, "TextEncoder": 60}  # once a run, in memory
    run(manifest, tmp_path / "fills")
    run(manifest, tmp_path / "hits")
    assert encoded == {"TimmEncoder": 120, "TextEncoder": 120}
    without = numbers(tmp_path / "without")
    assert numbers(tmp_path / "fills") == without
    assert numbers(tmp_path / "hits") == without


def test_folds_share_what_does_not_depend_on_them(manifest, cache, encoded, tmp_path):
    summary = run(manifest, tmp_path / "cv", "folds=3", "modality.scan.range=[-4,4]", "encoder.text.frozen=false")
    assert 60 <= encoded["TimmEncoder"] < 60 + 2 * 3  # the training's and the test's last chunks are filled up
    assert summary["folds"]


def test_another_seed_draws_another_encoder(manifest, cache, encoded, tmp_path):
    run(manifest, tmp_path / "a", "modality.scan.range=[-4,4]")
    run(manifest, tmp_path / "b", "modality.scan.range=[-4,4]", "seed=1")
    assert encoded["TimmEncoder"] == 120


def test_a_run_with_given_weights_finds_its_features_again(manifest, cache, encoded, tmp_path):
    """The reopened model is built without the given weights, and gets them from its checkpoint."""
    tokenizer = train_wordpiece(["the patient has fever and pain and cough", "nothing today"], 200)
    size = tokenizer.get_vocab_size()
    torch.manual_seed(3)
    bert = BertConfig(vocab_size=size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    BertModel(bert, add_pooling_layer=False).save_pretrained(tmp_path / "bert")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    fast.save_pretrained(tmp_path / "bert")
    run(manifest, tmp_path / "run", f"encoder.text.model={tmp_path / 'bert'}")
    evaluate(tmp_path / "run")
    assert encoded == {"TimmEncoder": 60, "TextEncoder": 60}


def test_a_damaged_entry_costs_a_warning_and_no_number(manifest, cache, encoded, tmp_path, caplog):
    run(manifest, tmp_path / "first")
    before = numbers(tmp_path / "first")
    for entry in entries(cache, ["features"]):
        entry.path.write_bytes(entry.path.read_bytes()[:-7])
    encoded.clear()
    with caplog.at_level(logging.WARNING, "crossfade"):
        run(manifest, tmp_path / "again")
    assert sum("are damaged" in record.getMessage() for record in caplog.records) == 2
    assert encoded == {"TimmEncoder": 60, "TextEncoder": 60}
    assert numbers(tmp_path / "again") == before


def fake(**fields):
    module = data(Fake(12), **fields)
    module.prepare()
    return module


def test_scoring_computes_what_the_cache_lacks_of_its_split_alone(cache, encoded):
    module = fake(cache_gb=1.0)
    model = model_of(module, 1).eval()
    for _ in range(2):
        with known_features(model, module, "test"):
            batch = module.samples[module.split["test"].tolist()]
        assert all(tokens.isfinite().all() for tokens, _ in batch.features.values())
    assert len(module.split["test"]) <= 3
    assert encoded == {"TimmEncoder": 3, "TextEncoder": 3}  # one chunk, filled up, and of two scorings the first


def test_training_leaves_the_test_split_to_its_scoring(manifest, cache, encoded, tmp_path, monkeypatch):
    trained = {}
    real = experiment.train

    def train(config, folder, data, label):
        real(config, folder, data, label)
        trained.update(encoded)
        assert set(trained.values()) == {len(data.split["train"]) + len(data.split["val"])}

    monkeypatch.setattr(experiment, "train", train)
    run(manifest, tmp_path / "run")
    assert trained
    assert encoded == {"TimmEncoder": 60, "TextEncoder": 60}


def test_the_cache_serves_what_scoring_would_encode(cache):
    module = fake(cache_gb=1.0)
    model = model_of(module, 1).eval()
    raw = predictions(model, fake(), "test", torch.device("cpu"))
    compute_features(model, module)
    for name in FROZEN:  # of this run alone: standardised features are another model
        model.embeddings[name].shift.zero_()
        model.embeddings[name].scale.fill_(1.0)
    module.samples.features.clear()
    again = fake(cache_gb=1.0)
    with known_features(model, again, "test"):
        assert set(again.samples.features) == set(FROZEN)
    assert not again.samples.features
    cached = predictions(model, again, "test", torch.device("cpu"))
    for name, value in raw.items():
        torch.testing.assert_close(cached[name], value, atol=1e-5, rtol=1e-5)


def test_noise_on_the_inputs_reaches_a_frozen_encoder(cache):
    module = fake(cache_gb=1.0)
    model = model_of(module, 1).eval()
    compute_features(model, module)
    module.samples.features.clear()
    scan_only = {name: embedding for name, embedding in model.embeddings.items() if name != "scan"}
    for embedding in scan_only.values():  # the others say nothing
        torch.nn.init.zeros_(embedding.project.weight)
    quiet, noisy = (predictions(model, module, "test", torch.device("cpu"), jitter)["size"] for jitter in (0.0, 1.0))
    assert not torch.equal(quiet, noisy)


def test_a_protocol_of_absence_hides_features_and_does_not_change_them(cache):
    whole = fake(cache_gb=1.0)
    model = model_of(whole, 1).eval()
    compute_features(model, whole)
    hidden = fake(cache_gb=1.0, absence=AtRate(tuple(whole.transforms), rate=0.5))
    assert not torch.equal(hidden.samples.present, whole.samples.present)
    compute_features(model, hidden)
    assert len(entries(cache, ["features"])) == len(FROZEN)  # the same entries
    rows = hidden.split["train"].tolist()
    batch = hidden.samples[rows]
    assert torch.equal(batch.presence, hidden.samples.present[rows])
    before = model(batch.inputs, batch.presence, batch.features)
    column = list(hidden.transforms).index("scan")
    gone = ~batch.presence[:, column]
    assert gone.any()
    batch.features["scan"][0][gone] = np.nan
    after = model(batch.inputs, batch.presence, batch.features)
    assert all(torch.equal(before[name], after[name]) for name in before)
