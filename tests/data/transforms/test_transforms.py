"""Raw values to tensors: exact values, missing entries, fillers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from crossfade.data.transforms import KINDS, make_transform
from crossfade.specs import ModalitySpec

NAN = float("nan")


def transform(kind, train, encoder=None, **fields):
    made = make_transform(ModalitySpec(name="m", kind=kind, **fields), encoder or {"model": None, "vocabulary": 80})
    made.fit([made.prepare(value) for value in train])
    return made


def apply(made, values):
    return made.finish([None if value is None else made.prepare(value) for value in values])


def test_image_in_a_range_goes_to_minus_one_and_one_and_is_cut_there():
    made = transform("image", [], range=(-160, 240), size=8)
    raw = np.full((1, 8, 8), 40.0, np.float32)
    raw[0, 0, :4] = [-160, 240, -1000, 3000]
    out = apply(made, [raw])
    assert out[0, 0, 0, :5].tolist() == [-1, 1, -1, 1, 0]
    assert out.shape == (1, 1, 8, 8)
    assert made.fitted == {}


def test_image_is_standardised_per_channel_by_the_training_split():
    rng = np.random.default_rng(0)
    train = [(rng.normal(size=(2, 8, 8)) * [[[3.0]], [[0.5]]] + [[[100.0]], [[-2.0]]]) for _ in range(6)]
    made = transform("image", train, channels=2, size=8)
    stack = np.stack(train).astype(np.float32).astype(np.float64)
    assert made.fitted["mean"] == pytest.approx(stack.mean((0, 2, 3)))
    assert made.fitted["sd"] == pytest.approx(stack.std((0, 2, 3)))
    out = apply(made, train).numpy()
    np.testing.assert_allclose(out.mean((0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(out.std((0, 2, 3)), 1, atol=1e-4)


def test_a_constant_image_channel_is_no_division_by_zero():
    made = transform("image", [np.full((1, 8, 8), 7.0)], size=8)
    assert made.fitted == {"mean": [7.0], "sd": [1.0]}
    assert not apply(made, [np.full((1, 8, 8), 7.0)]).any()


def test_image_is_resized_as_pillow_does():
    raw = np.random.default_rng(0).random((1, 40, 24)).astype(np.float32)
    made = transform("image", [], range=(-1, 1), size=16)
    expected = np.asarray(Image.fromarray(raw[0]).resize((16, 16), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(apply(made, [raw])[0, 0].numpy(), expected, atol=1e-4)


def test_an_absent_image_is_finite():
    for fields in ({"range": (0, 255)}, {}):
        made = transform("image", [np.ones((1, 8, 8))], size=8, **fields)
        assert apply(made, [None, np.ones((1, 8, 8))]).isfinite().all()


ROWS = [{"age": 40.0, "sex": "m"}, {"age": 60.0, "sex": "f"}, {"age": None, "sex": None}]


def test_table_numbers_and_categories():
    made = transform("table", ROWS, column=["age", "sex"], categorical=["sex"])
    assert made.fitted["cardinality"] == [0, 2]
    assert made.fitted["columns"][0] == {"name": "age", "mean": 50.0, "sd": 10.0}
    assert made.fitted["columns"][1] == {"name": "sex", "categories": ["f", "m"]}
    out = apply(made, [*ROWS, None, {"age": 55.0, "sex": "x"}, {"age": 1e9, "sex": "f"}, {"sex": "m"}])
    expected = [[-1, 1], [1, 0], [NAN, NAN], [NAN, NAN], [0.5, NAN], [10, 0], [NAN, 1]]
    np.testing.assert_array_equal(out.numpy(), np.array(expected, np.float32))


def test_table_nan_is_a_missing_entry_like_none():
    """A source may write either; a NaN in the training split must not spoil the column's mean."""
    made = transform("table", [{"age": 40.0}, {"age": NAN}, {"age": 60.0}], column="age")
    assert made.fitted["columns"][0]["mean"] == 50.0
    np.testing.assert_array_equal(apply(made, [{"age": NAN}, {"age": 50.0}]).numpy(), [[NAN], [0.0]])


def test_table_columns_without_any_value_or_of_one_value():
    made = transform("table", [{"a": None, "b": 3.0, "c": None}] * 2, column=["a", "b", "c"], categorical=["c"])
    out = apply(made, [{"a": None, "b": 3.0, "c": None}, {"a": 2.0, "b": 4.0, "c": "new"}])
    np.testing.assert_array_equal(out.numpy(), [[NAN, 0, NAN], [2, 1, NAN]])
    assert made.fitted["cardinality"] == [0, 0, 1]


def test_numbers_may_be_categories():
    made = transform("table", [{"ward": 2}, {"ward": 10}], column=["ward"], categorical=["ward"])
    assert apply(made, [{"ward": 10}, {"ward": 2}, {"ward": 3}])[:2].flatten().tolist() == [0, 1]


def test_series_is_standardised_by_what_was_observed_and_padded_with_nan():
    train = [np.array([[1.0, NAN], [3.0, 5.0]]), np.array([[5.0, 5.0], [7.0, NAN], [NAN, 5.0]])]
    made = transform("series", train, rate=1)
    assert made.fitted["mean"] == [4.0, 5.0]
    assert made.fitted["sd"] == pytest.approx([np.sqrt(5.0), 1.0])  # a constant channel keeps its unit
    assert (made.fitted["length"], made.fitted["channels"]) == (3, 2)
    out = apply(made, [train[0], None, np.full((9, 2), 4.0)])
    s = np.float32(1 / np.sqrt(5.0))
    np.testing.assert_allclose(out[0].numpy(), [[-3 * s, NAN], [-s, 0], [NAN, NAN]], rtol=1e-6)
    assert out[1].isnan().all()
    assert out[2].tolist() == [[0, -1]] * 3  # cut at the longest of the training split


def test_series_of_one_channel_and_of_a_given_length():
    made = transform("series", [np.arange(6.0)], rate=1, length=4)
    assert apply(made, [np.arange(6.0)]).shape == (1, 4, 1)
    assert made.fitted["channels"] == 1


@pytest.mark.filterwarnings("error")
def test_a_channel_never_observed_in_training_is_missing():
    made = transform("series", [np.array([[1.0, NAN], [3.0, NAN]])], rate=1)
    out = apply(made, [np.array([[2.0, NAN]])])
    assert out[0, 0, 0] == 0
    assert out[0, :, 1].isnan().all()


def test_audio_is_cut_or_padded():
    made = transform("audio", [np.ones(5), np.ones(3)], rate=10)
    out = apply(made, [np.arange(1, 9), np.array([1.0, 2.0]), None])
    assert out.tolist() == [[1, 2, 3, 4, 5], [1, 2, 0, 0, 0], [0] * 5]
    assert transform("audio", [np.ones(5)], rate=10, length=2).fitted == {"length": 2}


TEXTS = ["the lung is clear", "The LUNG is dense", "no fever today"]


def test_text_is_framed_cut_and_padded():
    made = transform("text", TEXTS, length=6)
    out = apply(made, ["the lung", "the lung is clear and the lung is dense", "", None])
    assert out.shape == (4, 6)
    assert out.dtype == torch.int64
    cls, sep = 2, 3
    the, lung = out[0, 1:3].tolist()
    assert out[0].tolist() == [cls, the, lung, sep, 0, 0]
    assert (out[1, 0], out[1, -1]) == (cls, sep)
    assert out[1, 1:3].tolist() == [the, lung]
    assert out[2].tolist() == out[3].tolist() == [cls, sep, 0, 0, 0, 0]
    assert apply(made, ["THE lung"]).tolist() == out[:1].tolist()


def test_text_knows_no_word_of_the_other_splits():
    made = transform("text", TEXTS, length=6)
    assert apply(made, ["qqq"])[0].tolist() == [2, 1, 3, 0, 0, 0]  # [UNK]
    assert made.fitted["vocabulary"] <= 80


def test_default_length_of_text():
    assert transform("text", TEXTS).fitted["length"] == 64


VALUES = {
    "audio": ([np.ones(5)], {"rate": 10}),
    "image": ([np.ones((1, 8, 8))], {"size": 8}),
    "points": ([np.arange(8.0).reshape(2, 4)], {"length": 4}),
    "series": ([np.array([[1.0, NAN], [2.0, 3.0]])], {"rate": 1}),
    "table": (ROWS, {"column": ["age", "sex"], "categorical": ["sex"]}),
    "text": (TEXTS, {"length": 6}),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_was_learned_is_plain_data_and_enough(kind):
    train, fields = VALUES[kind]
    made = transform(kind, train, **fields)
    again = make_transform(made.spec, {"model": None, "vocabulary": 80})
    again.fitted = json.loads(json.dumps(made.fitted))
    a, b = apply(made, [*train, None]), apply(again, [*train, None])
    np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert a.dtype in (torch.float32, torch.int64)
