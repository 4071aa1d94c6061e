"""The best epoch and the end of a run, by hand."""

from __future__ import annotations

import math

import pytest

from crossfade.training.watch import Watch

NAN = math.nan


@pytest.mark.parametrize(
    ("mode", "patience", "values", "best", "last"),
    [
        ("max", None, [0.5, 0.6, 0.6, 0.4, 0.7], [0, 1, 4], None),
        ("min", None, [0.5, 0.6, 0.4], [0, 2], None),
        ("max", 2, [0.5, 0.6, 0.6, 0.4, 0.7], [0, 1], 3),
        ("max", 1, [0.5, 0.5], [0], 1),
        ("max", 2, [0.5, 0.4, 0.6, 0.5, 0.6], [0, 2], 4),
        ("max", None, [NAN, 0.1, NAN, 0.2], [0, 1, 3], None),
        ("min", None, [NAN, NAN, 5.0], [0, 2], None),
        ("max", 3, [0.5, NAN], [0], 1),
    ],
)
def test_best_epochs_and_the_last(mode, patience, values, best, last):
    watch = Watch(mode, patience)
    found = []
    for epoch, value in enumerate(values):
        is_best, stops = watch.epoch_ended(value)
        found += [epoch] if is_best else []
        assert stops == (epoch == last)
        if stops:
            assert watch.why
            break
    assert found == best
