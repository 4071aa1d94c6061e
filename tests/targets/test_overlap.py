"""Overlap and distances of masks, against brute force and figures that can be drawn on paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation
from scipy.spatial.distance import cdist

from crossfade.targets.overlap import dice, false_alarm, hausdorff95, missed, touched


def masks(samples=6, size=20, seed=0):
    """Blobs that differ in place and size."""
    rng = np.random.default_rng(seed)
    seeds = rng.random((samples, size, size)) > 0.985
    seeds[:, size // 2, size // 3] = True
    return torch.from_numpy(np.stack([binary_dilation(s, iterations=int(rng.integers(1, 4))) for s in seeds]))


def box(rows, columns, size=16):
    mask = torch.zeros(1, size, size, dtype=torch.bool)
    mask[:, rows, columns] = True
    return mask


EMPTY = box(slice(0), slice(0))


def outline(mask):
    """Pixels with one of four neighbours outside, by the definition."""
    there = np.argwhere(mask)
    inside = {tuple(p) for p in there}
    steps = ((0, 1), (0, -1), (1, 0), (-1, 0))
    return np.array([p for p in there if any((p[0] + a, p[1] + b) not in inside for a, b in steps)])


def test_dice_is_twice_the_common_pixels_over_all():
    a, b = masks(), masks(seed=1)
    wanted = [2 * np.logical_and(x, y).sum() / (x.sum() + y.sum()) for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    np.testing.assert_allclose(dice(a, b), wanted, rtol=1e-6)
    assert dice(a, a).eq(1).all()


def test_hausdorff_is_the_larger_of_both_95th_percentiles():
    a, b = masks(), masks(seed=1)
    for x, y, found in zip(a.numpy(), b.numpy(), hausdorff95(a, b, 2.5), strict=True):
        distance = 2.5 * cdist(outline(x), outline(y))
        wanted = max(np.percentile(distance.min(1), 95), np.percentile(distance.min(0), 95))
        assert found.item() == pytest.approx(wanted, rel=1e-6)
    torch.testing.assert_close(hausdorff95(b, a, 2.5), hausdorff95(a, b, 2.5))


def test_a_shifted_square_lies_as_far_as_it_was_shifted():
    a, b = box(slice(2, 8), slice(2, 8)), box(slice(2, 8), slice(5, 11))
    assert hausdorff95(a, b, 3.0).item() == pytest.approx(9.0)
    assert hausdorff95(a, a, 3.0) == 0


def test_where_one_mask_is_empty_the_distance_is_the_diagonal_and_where_both_are_nothing_is_said():
    a = box(slice(2, 8), slice(2, 8))
    for pair in ((a, EMPTY), (EMPTY, a)):
        assert hausdorff95(*pair, 0.5).item() == pytest.approx(0.5 * 16 * np.sqrt(2))
        assert dice(*pair) == 0
    assert hausdorff95(EMPTY, EMPTY, 0.5).isnan()
    assert dice(EMPTY, EMPTY).isnan()


def test_what_a_margin_touches_is_counted_in_millimetres():
    vessel = box(slice(4, 5), slice(0, 16))  # 16 pixels in a row
    lesion = box(slice(0, 3), slice(6, 10))  # its lowest row lies two pixels above
    for margin, pixels in ((1.9, 0), (4.0, 4), (2 * np.hypot(2, 1), 6), (100.0, 16)):
        assert touched(vessel, lesion, margin, 2.0).item() == pytest.approx(pixels / 16)
    assert touched(vessel, vessel, 0.0, 2.0) == 1
    assert touched(vessel, EMPTY, 9.0, 2.0) == 0
    assert touched(EMPTY, lesion, 9.0, 2.0).isnan()


def test_a_lesion_is_missed_where_not_one_pixel_is_found():
    truth = torch.cat([box(slice(2, 4), slice(2, 4))] * 3 + [EMPTY] * 2)
    found = torch.cat([box(slice(3, 9), slice(3, 9)), box(slice(4, 9), slice(4, 9)), EMPTY, EMPTY, truth[:1]])
    torch.testing.assert_close(missed(found, truth), torch.tensor([0, 1, 1, torch.nan, torch.nan]), equal_nan=True)
    alarms = torch.tensor([torch.nan] * 3 + [0, 1])
    torch.testing.assert_close(false_alarm(found, truth), alarms, equal_nan=True)
