"""Audio models of transformers: given ones say what transformers itself says; log-mel patches."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    AutoFeatureExtractor,
    AutoModel,
    Data2VecAudioConfig,
    HubertConfig,
    HubertForCTC,
    UniSpeechSatConfig,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    WavLMConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

import tiny
from crossfade.data.transforms import make_transform
from crossfade.encoders.ast import ASTEncoder
from crossfade.encoders.logmel import LogMelEncoder
from crossfade.encoders.wav2vec2 import Wav2Vec2Encoder
from crossfade.encoders.whisper import WhisperEncoder
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec

RATE = 16000
LENGTH = 9600
SPEC = ModalitySpec(name="voice", kind="audio", rate=RATE, length=LENGTH)
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
WAVE = {**SIZES, "conv_dim": [8] * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
LAYER = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
DATA2VEC = {**SIZES, "conv_dim": [8] * 7, "num_conv_pos_embedding_groups": 2, "conv_pos_kernel_size": 3}


def given(family):
    """A tiny random model with the head it is published with, and its feature extractor."""
    torch.manual_seed(0)
    if family == "ast":
        config = ASTConfig(**SIZES, max_length=64, num_mel_bins=32, frequency_stride=10, time_stride=10)
        return ASTForAudioClassification(config), ASTFeatureExtractor(
            num_mel_bins=32, max_length=64, mean=-3.0, std=2.0
        )
    if family == "whisper":
        config = WhisperConfig(
            vocab_size=60, num_mel_bins=20, max_source_positions=50, d_model=16, encoder_layers=2, decoder_layers=1,
            encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
            pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        )  # fmt: skip
        return WhisperForConditionalGeneration(config), WhisperFeatureExtractor(feature_size=20, chunk_length=1)
    waves = {
        "wav2vec2": Wav2Vec2Config(**WAVE),
        "wav2vec2 layer": Wav2Vec2Config(**WAVE, **LAYER),
        "wavlm": WavLMConfig(**WAVE, **LAYER),
        "unispeech-sat": UniSpeechSatConfig(**WAVE),
        "data2vec": Data2VecAudioConfig(**DATA2VEC),
    }
    extractor = Wav2Vec2FeatureExtractor(do_normalize=family != "unispeech-sat")
    if family == "hubert":
        return HubertForCTC(HubertConfig(**WAVE, vocab_size=9)), extractor
    return AutoModel.from_config(waves[family]), extractor


FAMILIES = {
    "ast": ASTEncoder,
    "whisper": WhisperEncoder,
    **dict.fromkeys(("wav2vec2", "wav2vec2 layer", "hubert", "wavlm", "unispeech-sat", "data2vec"), Wav2Vec2Encoder),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    found = {}
    for family in FAMILIES:
        found[family] = tmp_path_factory.mktemp("models") / family.replace(" ", "_")
        for part in given(family):
            part.save_pretrained(found[family])
    return found


def waves():
    """Three lengths, padded as the transform does."""
    rng = np.random.default_rng(0)
    return [(rng.normal(0.1, 0.2, n)).astype(np.float32) for n in (LENGTH, 7000, 3300)]


def part_of(family, folder, **fields):
    option = FAMILIES[family].option
    return tiny.part("encoder/audio", option, **{"model": str(folder), "pool": "none", **fields})


def encoder_of(family, folder, spec=SPEC, **fields):
    """The encoder as a run builds it, from what the transform learned; its input."""
    part = part_of(family, folder, **fields)
    transform = make_transform(spec, part)
    transform.fit(waves())
    made = tiny.made(part, spec=spec, fitted=json.loads(json.dumps(transform.fitted)))
    made.load_given_weights()
    return made.eval(), transform.finish(waves())


def transformers_own(family, folder):
    """Per wave the tokens that transformers gives for it alone, through its own feature extractor."""
    extractor, model = AutoFeatureExtractor.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    found = []
    for wave in waves():
        inputs = extractor(wave, sampling_rate=RATE, return_tensors="pt")
        with torch.no_grad():
            if family == "whisper":
                found.append(model.encoder(inputs["input_features"]).last_hidden_state[0])
            else:
                tokens = model(inputs["input_values"]).last_hidden_state[0]
                found.append(tokens[2:] if family == "ast" else tokens)
    return found


@pytest.mark.parametrize("family", ["ast", "whisper", "wav2vec2 layer", "wavlm"])
def test_it_gives_transformers_own_tokens(folders, family):
    made, x = encoder_of(family, folders[family])
    with torch.no_grad():
        tokens, mask = made(x)
        pooled = encoder_of(family, folders[family], pool="mean")[0](x)[0]
    for own, row, seen, mean in zip(transformers_own(family, folders[family]), tokens, mask, pooled, strict=True):
        ours = row[seen]
        expected = own[: len(ours)]
        assert len(own) == len(ours) or family == "whisper"  # whose 30 s are not all ours
        torch.testing.assert_close(ours, expected, atol=2e-3, rtol=2e-3)
        torch.testing.assert_close(mean[0], expected.mean(0), atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "unispeech-sat", "data2vec"])
def test_models_that_see_the_padding_see_it_as_they_were_trained(folders, family):
    """Each waveform normalised alone, then filled up with zeros; an attention mask for data2vec only."""
    made, x = encoder_of(family, folders[family])
    extractor, model = (kind.from_pretrained(folders[family]) for kind in (AutoFeatureExtractor, AutoModel))
    padded, seen = torch.zeros(3, LENGTH), torch.zeros(3, LENGTH, dtype=torch.long)
    for row, there, wave in zip(padded, seen, waves(), strict=True):
        row[: len(wave)] = extractor(wave, sampling_rate=RATE, return_tensors="pt")["input_values"][0]
        there[: len(wave)] = 1
    with torch.no_grad():
        own = model.eval()(padded, attention_mask=seen if family == "data2vec" else None).last_hidden_state
        tokens, mask = made(x)
    torch.testing.assert_close(tokens[mask], own[mask], atol=1e-4, rtol=1e-3)
    assert mask.sum(1).tolist() == [int((n - 400) // 320 + 1) for n in (LENGTH, 7000, 3300)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_is_reopened_without_the_folder(folders, family, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(folders[family], folder)
    made, x = encoder_of(family, folder)
    shutil.rmtree(folder)
    again = tiny.made(part_of(family, folder), spec=SPEC, fitted=made.fitted).eval()
    again.load_state_dict(made.state_dict())
    with torch.no_grad():
        assert torch.equal(again(x)[0], made(x)[0])
    assert made.pretrained


@pytest.mark.parametrize("family", FAMILIES)
def test_given_weights_train_all_and_leave_nothing_to_unseeded_chance(folders, family):
    made, x = encoder_of(family, folders[family])
    made.train()
    np.random.seed(0)  # noqa: NPY002  # transformers' span masks draw from NumPy
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(1)
        a = made(x)[0]
        torch.manual_seed(1)
        assert torch.equal(made(x)[0], a)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    a.square().sum().backward()
    dead = [name for name, p in made.named_parameters() if p.grad is None]
    assert not dead


@pytest.mark.parametrize("option", ["ast", "wav2vec2", "whisper", "logmel"])
def test_silence_is_finite_and_has_a_token(option):
    made = tiny.encoder("audio", option=option, pool="none")
    x = torch.zeros(2, 800, requires_grad=True)
    tokens, mask = made(x)
    tokens.sum().backward()
    assert tokens.isfinite().all()
    assert mask.any(1).all()
    assert all(p.grad.isfinite().all() for p in made.parameters() if p.grad is not None)


def test_mistakes_are_said_before_anything_is_trained(folders, tmp_path):
    with pytest.raises(UserError, match=r"is of the family hubert, and encoder/audio=whisper takes whisper"):
        WhisperEncoder.check(part_of("whisper", folders["hubert"]))
    with pytest.raises(UserError, match=r"encoder\.audio\.model=.*cannot be used"):
        ASTEncoder.check(part_of("ast", tmp_path))
    slow = SPEC.model_copy(update={"rate": 8000.0})
    with pytest.raises(UserError, match=r"modality\.voice\.rate=8000\.0: .* trained at 16000 Hz"):
        encoder_of("hubert", folders["hubert"], spec=slow)
    long = SPEC.model_copy(update={"length": 20000})
    with pytest.raises(UserError, match=r"takes no more than 1 s\. Set modality\.voice\.length=16000 samples"):
        encoder_of("whisper", folders["whisper"], spec=long)
    with pytest.raises(UserError, match="too short for encoder/audio=wav2vec2"):
        Wav2Vec2Encoder(SPEC, {"length": 399})
    with pytest.raises(UserError, match=r"encoder\.audio\.patch=16: does not fit into 3 frames"):
        ASTEncoder(SPEC, {"length": 800})
    for made in (ASTEncoder, Wav2Vec2Encoder, WhisperEncoder, LogMelEncoder):
        with pytest.raises(UserError, match=r"modality\.a\.rate: audio needs its sampling rate"):
            made(ModalitySpec(name="a", kind="audio"), {"length": 8000})


def test_weights_that_lack_a_layer_are_an_error(folders, tmp_path):
    small = HubertConfig(**{**WAVE, "num_hidden_layers": 1})
    torch.manual_seed(0)
    AutoModel.from_config(small).save_pretrained(tmp_path)
    shutil.copy(folders["hubert"] / "config.json", tmp_path)
    shutil.copy(folders["hubert"] / "preprocessor_config.json", tmp_path)
    with pytest.raises(UserError, match=r"it holds no weights for 16 parameters of its architecture, first encoder"):
        encoder_of("hubert", tmp_path)


@pytest.mark.parametrize("length", [800, 805, 870, 880])
def test_a_log_mel_token_is_a_patch_of_frames(length):
    torch.manual_seed(0)
    spec = ModalitySpec(name="a", kind="audio", rate=1000)
    made = LogMelEncoder(
        spec, {"length": length}, mels=8, window_ms=100.0, patch=4, hidden=16, layers=0, heads=2, pool="none"
    ).eval()
    x = torch.randn(2, length)
    tokens, mask = made(x)
    frames = made.spectrogram.scaled(x).transpose(1, 2)
    assert frames.shape[1] == 1 + length // 10
    assert tokens.shape[1] == -(-frames.shape[1] // 4)
    assert mask.all()
    # a whole patch away from the end, where the padding is reflected otherwise
    expected = made.norm(made.project(frames[:, 8:12].flatten(1)) + made.position[2])
    torch.testing.assert_close(tokens[:, 2], expected, atol=1e-5, rtol=1e-5)
