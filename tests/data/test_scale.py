"""The scale of a modality against a computation of its own in float64."""

from __future__ import annotations

import numpy as np
import torch

import fake_source
from crossfade.data.absence.structured import Structured
from crossfade.data.scale import scales_of, values_there

ABSENT = {(i, "power") for i in range(0, 40, 7)} | {(3, "scan")}


def test_mean_and_sd_are_those_of_the_training_splits_values():
    data = fake_source.data(fake_source.Fake(absent=ABSENT))
    data.prepare()
    found = scales_of(data, batch_size=5)
    assert sorted(found) == ["labs", "power", "scan"]  # text has none
    train = data.split["train"]
    for column, name in enumerate(data.samples.transforms):
        if name == "note":
            continue
        rows = train[data.samples.present[torch.from_numpy(train), column].numpy()]
        x = data.samples.kept[name][torch.from_numpy(rows)].double().numpy()
        feature = {"labs": 1, "power": 2, "scan": 1}[name]
        flat = np.moveaxis(x, feature, -1).reshape(-1, x.shape[feature])
        np.testing.assert_allclose(found[name].mean.flatten(), np.nanmean(flat, 0), atol=1e-5)
        sd = np.nanstd(flat, 0)
        if name == "labs":
            sd[1] = 0  # sex is a category
        np.testing.assert_allclose(found[name].sd.flatten(), sd, rtol=1e-4, atol=1e-6)
        assert found[name].sd.ndim == x.ndim - 1
    assert found["labs"].limits == (-10, 10)
    assert found["labs"].cardinality == (0, 2)
    assert found["scan"].limits is None


def test_a_constant_feature_has_no_scale_and_one_that_is_always_hidden_none_either():
    names = tuple(fake_source.SPECS)
    data = fake_source.data(absence=Structured(names, [["labs", "note", "power"]], ["train"]))
    data.prepare()
    data.samples.kept["labs"][:, 0] = 3.7
    found = scales_of(data)
    assert found["labs"].sd.tolist() == [0, 0]
    assert found["scan"].sd.sum() == 0


def test_a_waveform_ends_with_its_last_sample_that_is_not_silent():
    x = torch.tensor([[0.0, 1.0, 0.0, -1.0, 0.0], [0.0] * 5])
    assert values_there("audio", x).tolist() == [[True] * 4 + [False], [False] * 5]
    assert values_there("series", torch.tensor([[float("nan"), 0.0]])).tolist() == [[False, True]]
