"""What a study can find: published sample sizes, simulated studies, closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crossfade.analysis.power import detectable_over_repeats, detectable_over_samples, groups_needed, repeats_needed
from crossfade.analysis.statistics import corrected_t


@pytest.mark.parametrize(("effect", "size"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_sizes_are_the_published_ones_of_the_paired_t_test(effect, size):
    """Small, medium and large effects at a two-sided 5 %, 80 % power: G*Power's sizes."""
    assert repeats_needed(effect, 1.0, 0.0) == size
    assert detectable_over_repeats(1.0, size, 0.0) <= effect < detectable_over_repeats(1.0, size - 1, 0.0)


def test_four_of_five_simulated_studies_find_it():
    rng = np.random.default_rng(0)
    true = detectable_over_repeats(0.3, 6, 0.0)
    found = sum(corrected_t(true + 0.3 * rng.normal(size=6), 0.0).p < 0.05 for _ in range(1000))
    assert found == pytest.approx(800, abs=4 * math.sqrt(1000 * 0.16))


def test_repeats_that_share_samples_do_not_find_everything():
    assert repeats_needed(0.2, 1.0, 0.25) is None
    assert repeats_needed(5.0, 1.0, 0.25) is not None
    assert math.isnan(detectable_over_repeats(1.0, 1, 0.25))


def test_over_samples_it_is_that_of_a_normal_mean():
    assert detectable_over_samples(-1.959964, 1.959964) == pytest.approx(1.959964 + 0.841621, rel=1e-5)
    # half the difference, four times the groups
    n = groups_needed(0.1, 0.0, 0.2, 200)
    assert groups_needed(0.05, 0.0, 0.2, 200) == pytest.approx(4 * n, abs=4)
    assert groups_needed(detectable_over_samples(0.0, 0.2), 0.0, 0.2, 200) in (200, 201)
    assert groups_needed(0.0, -0.1, 0.1, 200) is None
