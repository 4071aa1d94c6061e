"""Point clouds: metres stay metres, what is kept of many, and what is said of clouds that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crossfade.data.transforms import make_transform
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec

NAN = float("nan")


def transform(train, **fields):
    made = make_transform(ModalitySpec(name="lidar", kind="points", **fields), {})
    made.fit([made.prepare(cloud) for cloud in train])
    return made


def apply(made, clouds):
    return made.finish([None if cloud is None else made.prepare(cloud) for cloud in clouds])


def cloud(points, seed=0, columns=4):
    return np.random.default_rng(seed).normal(size=(points, columns)).astype(np.float32) * 5


def test_places_stay_in_metres_and_other_columns_are_standardised():
    train = [np.array([[1, 2, 3, 10, 7], [4, 5, 6, 20, 7]]), np.array([[7, 8, 9, 30, 7]])]
    made = transform(train)
    out = apply(made, [train[0], None, train[1]])
    sd = np.sqrt(200 / 3)
    expected = [
        [[1, 2, 3, -10 / sd, 0], [4, 5, 6, 0, 0]],
        [[NAN] * 5] * 2,
        [[7, 8, 9, 10 / sd, 0], [NAN] * 5],
    ]
    np.testing.assert_allclose(out.numpy(), np.array(expected), rtol=1e-6)
    assert out.dtype == torch.float32
    assert made.fitted["sd"][1] == 1.0  # a constant column keeps its unit
    assert (made.fitted["low"], made.fitted["high"]) == ([1, 2, 3], [7, 8, 9])


def test_of_too_many_every_nth_is_kept_and_always_the_same():
    points = np.arange(40.0).reshape(10, 4)
    made = transform([points], length=4)
    kept = apply(made, [points])[0, :, 0] / 4
    assert kept.tolist() == [0, 2, 5, 7]
    assert torch.equal(apply(made, [points]), apply(transform([points], length=4), [points]))


def test_a_later_cloud_that_is_longer_is_thinned_to_the_longest_of_training():
    made = transform([cloud(3)])
    assert made.fitted["length"] == 3
    out = apply(made, [cloud(9, 1), cloud(2, 2)])
    assert out.shape == (2, 3, 4)
    np.testing.assert_allclose(out[0, :, :3].numpy(), cloud(9, 1)[[0, 3, 6], :3])


def test_memory_is_bounded_where_no_length_is_given():
    made = transform([cloud(100)])
    assert len(made.prepare(cloud(5000, 3))) == 2048


def test_points_outside_of_the_extent_go_first():
    points = np.array([[1.0, 0, 0], [50, 0, 0], [2, -9, 0], [3, 1, 99], [0, -4, 0], [10, 0, 0]])
    made = transform([points], extent=(0, 10, -4, 4), length=3)
    assert apply(made, [points])[0, :, 0].tolist() == [1, 3, 0]  # z does not count; the upper ends are outside


def test_nothing_seen_is_not_absent_and_not_an_error():
    made = transform([cloud(5), np.zeros((0, 4))])
    out = apply(made, [np.zeros((0, 4)), cloud(2)])
    assert out[0].isnan().all()
    assert out[1].isfinite().any(-1).sum() == 2


@pytest.mark.parametrize(
    ("train", "fields", "says"),
    [
        ([np.zeros(5)], {}, r"shape \(5,\), expected \(N, F\)"),
        ([np.zeros((5, 2))], {}, r"shape \(5, 2\), expected \(N, F\) with x, y, z in m"),
        ([cloud(5), cloud(5, columns=5)], {}, "point clouds of 4 and 5 columns"),
        ([np.zeros((0, 4))], {}, "no point in the whole training split"),
        ([cloud(5) + 1000], {"extent": (0, 10, 0, 10)}, r"no point within extent=\[0.0, 10.0, 0.0, 10.0\] m"),
    ],
)
def test_clouds_that_do_not_fit(train, fields, says):
    with pytest.raises(UserError, match=says):
        transform(train, **fields)


def test_a_new_cloud_of_other_columns_is_named():
    with pytest.raises(UserError, match="lidar: a point cloud has 5 columns, those of the training split have 4"):
        apply(transform([cloud(5)]), [cloud(5, columns=5)])
