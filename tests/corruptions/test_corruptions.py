"""Corruptions: each one's formula, and what all of them keep."""

from __future__ import annotations

import importlib
import inspect
import typing
from itertools import pairwise

import numpy as np
import pytest
import torch

from crossfade.build import build
from crossfade.corruptions.base import Corruption
from crossfade.data.scale import Scale
from crossfade.registry import corruptions, groups, read_option
from crossfade.specs import Kind, ModalitySpec

ALL = [(kind, name) for kind, names in corruptions().items() for name in names]
TEXT = "the patient has fever and cough since monday no pain in the abdomen today liver enlarged"


def one(kind, name):
    return build(read_option(f"corruption/{kind}", name))


def rng(seed=0):
    return np.random.default_rng(seed)


def scale(kind, mean, sd, limits=None, cardinality=()):
    spec = ModalitySpec(name="x", kind=kind, **({"column": ["a"]} if kind == "table" else {}))
    return Scale(spec, torch.tensor(mean), torch.tensor(sd), limits, cardinality)


SCALES = {
    "image": scale("image", [[[0.5]], [[-1.0]]], [[[2.0]], [[0.5]]]),
    "audio": scale("audio", [0.0], [0.2]),
    "series": scale("series", [[0.0, 1.0]], [[1.0, 3.0]]),
    "points": scale("points", [[0.0] * 4], [[5.0, 5.0, 1.0, 1.0]]),
    "table": scale("table", [0.0, 0.0, 1.0, 0.5], [1.0, 0.0, 0.0, 2.0], (-10.0, 10.0), (0, 4, 3, 0)),
    "text": None,
}


def value(kind, seed=0):
    draw = rng(seed).standard_normal
    if kind == "text":
        return TEXT
    if kind == "image":
        return draw((2, 40, 40)).astype(np.float32)
    if kind == "audio":
        return np.concatenate([0.2 * draw(4000), np.zeros(500)]).astype(np.float32)
    if kind == "series":
        series = draw((200, 2)).astype(np.float32)
        series[5:9, 0] = np.nan
        return series
    if kind == "points":
        points = draw((300, 4)).astype(np.float32)
        points[250:] = np.nan
        return points
    return np.array([0.3, 2.0, np.nan, -1.0], np.float32)


def harm(kind, before, after):
    """How far apart: words that differ, else missing entries and squared distance."""
    if kind == "text":
        return sum(b not in after.split() for b in before.split())
    both = ~np.isnan(before) & ~np.isnan(after)
    return np.isnan(after).sum() * 1e3 + np.square(before[both].astype(float) - after[both]).sum()


def test_every_kind_has_corruptions_and_every_class_one_yaml():
    assert sorted(corruptions()) == sorted(typing.get_args(Kind))
    named = {read_option(f"corruption/{kind}", name)["_target_"] for kind, name in ALL}
    assert len(named) == len(ALL)
    for kind in corruptions():
        module = importlib.import_module(f"crossfade.corruptions.{kind}")
        classes = [c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__]
        assert {f"{c.__module__}.{c.__name__}" for c in classes} == {n for n in named if f".{kind}." in n}
    assert not any(group.startswith("corruption") for group in groups())  # no part of a run's config


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_a_yaml_has_five_severities_each_worse_than_the_one_before(kind, name):
    corruption, x = one(kind, name), value(kind)
    assert len(corruption.severities) == 5
    harms = []
    for severity in range(1, 6):
        found = [corruption(x, severity, rng(seed), SCALES[kind]) for seed in range(12)]
        harms.append(sum(harm(kind, x, y) for y in found))
    assert harms[0] > 0
    assert all(a < b for a, b in pairwise(harms)), harms


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_the_value_given_stays_as_it_is_and_the_draws_are_the_generators(kind, name):
    corruption, x = one(kind, name), value(kind)
    before = x if kind == "text" else x.copy()
    first, again, *others = (corruption(x, 3, rng(seed), SCALES[kind]) for seed in (4, 4, *range(5, 15)))
    if kind == "text":
        assert first == again
        assert any(first != other for other in others)
        return
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(first, again)
    assert first.shape == x.shape
    assert first.dtype == np.float32
    gone = np.isnan(x)
    assert np.isnan(first[gone]).all()  # what is missing stays missing
    drawn = name not in ("blur", "contrast", "brightness", "clipping", "shift")
    assert drawn != all(np.array_equal(first, other, equal_nan=True) for other in others)


def test_a_number_of_severities_other_than_five_is_a_fault():
    with pytest.raises(ValueError, match="3 severities, expected 5"):
        Corruption([1, 2, 3])


@pytest.mark.parametrize(("kind", "shape"), [("image", (2, 400, 400)), ("series", (90_000, 2)), ("audio", (90_000,))])
def test_noise_has_the_sd_of_the_formula(kind, shape):
    corruption, of = one(kind, "noise"), SCALES[kind]
    x = np.ones(shape, np.float32)
    for severity in (1, 5):
        noise = corruption(x, severity, rng(), of) - x
        amount = corruption.severities[severity - 1]
        axes = {"image": (1, 2), "series": 0, "audio": 0}[kind]
        np.testing.assert_allclose(noise.std(axes), amount * of.sd.numpy().squeeze(), rtol=0.02)
        np.testing.assert_allclose(noise.mean(axes) / (amount * of.sd.numpy().squeeze()), 0, atol=0.02)


def test_blur_has_the_variance_of_the_formula_and_keeps_the_mean():
    blur = one("image", "blur")
    x = np.zeros((1, 201, 201), np.float32)
    x[0, 100, 100] = 1
    for severity in (1, 3, 5):
        y = blur(x, severity, rng(), SCALES["image"])[0].astype(np.float64)
        assert y.sum() == pytest.approx(1, abs=1e-4)
        place = np.arange(201) - 100.0
        sigma = 201 * blur.severities[severity - 1]
        assert (y.sum(0) * place**2).sum() == pytest.approx(sigma**2, rel=0.01)
    level = np.full((2, 30, 30), 3.0, np.float32)
    np.testing.assert_allclose(blur(level, 5, rng(), SCALES["image"]), level, atol=1e-5)  # no dark border


def test_occlusion_hides_its_share_of_the_area_behind_the_mean():
    occlusion, x = one("image", "occlusion"), np.full((2, 60, 60), 9.0, np.float32)
    places = set()
    for severity in range(1, 6):
        for seed in range(20):
            y = occlusion(x, severity, rng(seed), SCALES["image"])
            hidden = (y == np.array([0.5, -1.0], np.float32)[:, None, None]).all(0)
            assert hidden.sum() == round(60 * occlusion.severities[severity - 1] ** 0.5) ** 2
            assert (y[:, ~hidden] == 9).all()
            places.add(tuple(np.argwhere(hidden)[0]))
    assert len(places) > 50


def test_contrast_and_brightness_have_their_closed_forms():
    x, of = value("image"), SCALES["image"]
    y = one("image", "contrast")(x, 2, rng(), of)
    np.testing.assert_allclose(y.mean((1, 2)), x.mean((1, 2)), atol=1e-6)
    np.testing.assert_allclose(y.std((1, 2)), 0.3 * x.std((1, 2)), rtol=1e-5)
    y = one("image", "brightness")(x, 2, rng(), of)
    np.testing.assert_allclose(y - x, np.broadcast_to(0.88 * of.sd.numpy(), x.shape), rtol=1e-4)


def test_sound_is_clipped_silenced_and_its_padding_stays():
    x, of = value("audio"), SCALES["audio"]
    clipped = one("audio", "clipping")(x, 2, rng(), of)
    np.testing.assert_array_equal(clipped, np.clip(x, -np.float32(0.2), np.float32(0.2)))
    for name in corruptions()["audio"]:
        assert (one("audio", name)(x, 5, rng(), of)[4000:] == 0).all()
    gaps = one("audio", "gaps")
    lost = [(gaps(x, 3, rng(seed), of)[:4000].reshape(50, 80) == 0).all(1) for seed in range(200)]
    assert np.mean(lost) == pytest.approx(gaps.severities[2], abs=0.02)
    silence = np.zeros(100, np.float32)
    assert all((one("audio", name)(silence, 5, rng(), of) == 0).all() for name in corruptions()["audio"])


def test_series_are_biased_shifted_and_lose_steps():
    x, of = np.arange(40, dtype=np.float32).reshape(20, 2), SCALES["series"]
    y = one("series", "bias")(x, 4, rng(), of) - x
    np.testing.assert_allclose(np.abs(y), np.broadcast_to([1.0, 3.0], y.shape))
    assert (y == y[0]).all()
    signs = {tuple(np.sign((one("series", "bias")(x, 4, rng(s), of) - x)[0])) for s in range(30)}
    assert len(signs) == 4
    y = one("series", "shift")(x, 3, rng(), of)
    assert np.isnan(y[:4]).all()
    np.testing.assert_array_equal(y[4:], x[:16])


@pytest.mark.parametrize(("kind", "name"), [("series", "dropout"), ("points", "dropout"), ("table", "missing")])
def test_what_is_lost_is_a_share_that_only_grows(kind, name):
    corruption = one(kind, name)
    x = np.ones((20_000, 4) if kind != "table" else 20_000, np.float32)
    before = np.zeros(len(x), bool)
    for severity, share in enumerate(corruption.severities, 1):
        gone = np.isnan(corruption(x, severity, rng(), SCALES[kind]))
        if kind != "table":
            assert (gone == gone[:, :1]).all()  # whole steps, whole points
            gone = gone[:, 0]
        assert gone.mean() == pytest.approx(share, abs=0.015)
        assert (gone | ~before).all()
        before = gone


def test_points_move_in_metres_and_keep_what_else_is_known_of_them():
    x = np.zeros((50_000, 4), np.float32)
    noise = one("points", "noise")
    y = noise(x, 3, rng(), SCALES["points"])
    np.testing.assert_allclose(y[:, :3].std(0), noise.severities[2], rtol=0.02)
    assert (y[:, 3] == 0).all()


def test_cells_are_mistaken_for_others_of_their_column():
    of = scale("table", [0.0, 0.0, 0.0], [1.0, 0.0, 0.0], (-10, 10), (0, 4, 3))
    mistaken = one("table", "mistaken")
    x = np.array([50.0, 3.0, np.nan], np.float32)
    found = np.array([mistaken(x, 5, rng(seed), of) for seed in range(4000)])
    assert (found[:, 0] != 50).mean() == pytest.approx(0.5, abs=0.03)
    assert found[found[:, 0] != 50, 0].std() == pytest.approx(2, rel=0.1)
    assert set(found[:, 1]) == {0, 1, 2, 3}
    assert (found[:, 1] != 3).mean() == pytest.approx(0.5 * 3 / 4, abs=0.03)  # one draw in four is the same category
    assert np.isnan(found[:, 2]).all()
    noisy = one("table", "noise")(np.array([0.3, 2.0, 1.0], np.float32), 5, rng(), of)
    assert tuple(noisy[1:]) == (2.0, 1.0)  # a category is no number


def edits(a, b):
    """Damerau–Levenshtein distance with adjacent swaps, by dynamic programming."""
    d = {(i, 0): i for i in range(len(a) + 1)} | {(0, j): j for j in range(len(b) + 1)}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + (a[i - 1] != b[j - 1]))
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                d[i, j] = min(d[i, j], d[i - 2, j - 2] + 1)
    return d[len(a), len(b)]


def test_a_typing_error_is_one_edit_of_a_word_and_as_frequent_as_it_says():
    typos, words = one("text", "typos"), TEXT.split()
    wrong, kinds = 0, set()
    for seed in range(300):
        found = typos(TEXT, 3, rng(seed), None).split()
        assert len(found) == len(words)
        assert max(edits(a, b) for a, b in zip(words, found, strict=True)) <= 1
        wrong += sum(a != b for a, b in zip(words, found, strict=True))
        kinds |= {len(b) - len(a) for a, b in zip(words, found, strict=True)}
    assert kinds == {-1, 0, 1}
    # a letter replaced by itself, or swapped with its equal, is no error
    assert 0.9 * typos.severities[2] < wrong / (300 * len(words)) <= typos.severities[2] * 1.02


def test_words_are_lost_at_their_rate_in_order_and_one_stays():
    drop, words = one("text", "word_drop"), TEXT.split()
    left = 0
    for seed in range(300):
        found = drop(TEXT, 3, rng(seed), None).split()
        rest = iter(words)
        assert all(word in rest for word in found)
        left += len(found)
    assert left / (300 * len(words)) == pytest.approx(1 - drop.severities[2], abs=0.02)
    assert all(drop("fever", 5, rng(seed), None) == "fever" for seed in range(20))
    for text in ("", "   ", "a"):
        for name in corruptions()["text"]:
            assert len(one("text", name)(text, 5, rng(), None).split()) == len(text.split())
