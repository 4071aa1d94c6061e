"""Streams on one axis: exact values, pandas and NumPy as references, and every fault of a log."""

import numpy as np
import pandas as pd
import pytest

from crossfade.data.align import Clock, Rule, Stream, align, axis, hold, interpolate, window
from crossfade.errors import ReadError

nan = np.nan


def stream(time, value, **fields):
    return Stream("log.csv", np.array(time, float), np.array(value, float), **fields)


@pytest.fixture
def random():
    rng = np.random.default_rng(0)
    time = np.cumsum(rng.exponential(0.3, 400))
    value = rng.standard_normal((400, 3))
    value[rng.random((400, 3)) < 0.1] = nan
    return Stream("random", time, value), np.sort(rng.uniform(-2, time[-1] + 2, 150))


def test_hold_takes_the_last_value_and_never_a_later_or_a_stale_one():
    log = stream([1.0, 2.0, 5.0], [10, 20, 50])
    at = np.array([0.9, 1.0, 1.999, 2.0, 4.0, 4.1, 5.0, 99.0])
    assert hold(log, at, max_age=2).ravel().tolist()[1:5] == [10, 10, 20, 20]
    np.testing.assert_array_equal(hold(log, at, max_age=2).ravel(), [nan, 10, 10, 20, 20, nan, 50, nan])
    np.testing.assert_array_equal(hold(log, at).ravel(), [nan, 10, 10, 20, 20, 20, 50, 50])


def test_hold_is_pandas_merge_asof(random):
    log, at = random
    table = pd.DataFrame(log.value, columns=list("abc")).assign(time=log.time)
    expected = pd.merge_asof(pd.DataFrame({"time": at}), table, on="time", tolerance=0.4)
    np.testing.assert_array_equal(hold(log, at, max_age=0.4), expected[list("abc")])


@pytest.mark.parametrize(
    ("what", "reference"), [("mean", np.nanmean), ("sum", np.nansum), ("max", np.nanmax), ("count", None)]
)
def test_a_window_is_open_at_its_start_and_counts_what_is_there(random, what, reference):
    log, at = random
    width = 0.9  # longer than the step of `at`: windows overlap
    for row, t in zip(window(log, at, width, what), at, strict=True):
        inside = log.value[(log.time > t - width) & (log.time <= t)]
        for got, column in zip(row, inside.T, strict=True):
            seen = column[~np.isnan(column)]
            if what == "count":
                assert got == len(seen)
            elif len(seen):
                assert got == pytest.approx(reference(seen), rel=1e-12)
            else:
                assert got == 0 if what == "sum" else np.isnan(got)


def test_windows_of_a_constant_are_that_constant_whatever_came_before():
    """A difference of cumulative sums would lose 0.1 behind 10¹⁵."""
    log = stream(np.arange(6), [1e15, 1e15, 0.1, 0.1, 0.1, 0.1])
    np.testing.assert_array_equal(window(log, np.array([3.0, 5.0]), 2.0).ravel(), [0.1, 0.1])


def test_interpolation_is_numpys_inside_and_nothing_outside_or_across_a_gap(random):
    log, at = random
    got = interpolate(log, at)
    inside = (at >= log.time[0]) & (at <= log.time[-1])
    assert np.isnan(got[~inside]).all()
    full = Stream("full", log.time, np.nan_to_num(log.value))
    expected = np.stack([np.interp(at[inside], full.time, column) for column in full.value.T], axis=1)
    np.testing.assert_allclose(interpolate(full, at)[inside], expected, rtol=1e-9, atol=1e-12)
    gap = stream([0, 1, 9, 10], [0, 2, 18, 20])
    np.testing.assert_array_equal(
        interpolate(gap, np.array([0.0, 0.5, 1.0, 1.5, 9.0, 9.5, 10.0]), max_gap=1.0).ravel(),
        [0, 1, 2, nan, 18, 19, 20],
    )


def test_a_linear_signal_comes_back_exactly_from_any_rate():
    at = axis(3, 97, 7.0)
    for rate in (1.0, 3.3, 10.0, 44.0):
        time = axis(0, 100, rate)
        log = Stream("ramp", time, np.stack([2 * time + 1, -time], 1))
        np.testing.assert_allclose(interpolate(log, at), np.stack([2 * at + 1, -at], 1), atol=1e-9)
        error = (2 * at + 1)[:, None] - hold(log, at)[:, :1]
        assert (error >= -1e-9).all()  # the past of a rising signal, and no more than one interval of it
        assert (error <= 2 / rate + 1e-5).all()


def test_causal_rules_do_not_see_the_future(random):
    log, at = random
    moment = at[70]
    changed = log.value.copy()
    changed[log.time > moment + 1e-5] = 1e9
    later = Stream("later", log.time, changed)
    for how in ("hold", "mean", "sum", "max", "count"):
        rules = {"s": Rule(how, 0.9)}
        a, b = (align({"s": s}, at[:71], rules)["s"] for s in (log, later))
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(*(interpolate(s, at[:71]) for s in (log, later)))


def test_streams_of_five_rates_meet_on_one_axis():
    at = axis(0, 10, 1.0)
    streams = {f"{rate} Hz": Stream(f"{rate}", axis(0, 10, rate), axis(0, 10, rate)) for rate in (0.5, 1, 4, 10, 50)}
    got = align(streams, at, dict.fromkeys(streams, Rule("hold", 2.5)))
    for name, rate in (("1 Hz", 1), ("4 Hz", 4), ("10 Hz", 10), ("50 Hz", 50)):
        np.testing.assert_allclose(got[name].ravel(), at, atol=1e-12, err_msg=str(rate))
    np.testing.assert_array_equal(got["0.5 Hz"].ravel(), [0, 0, 2, 2, 4, 4, 6, 6, 8, 8])


def test_the_axis_has_its_number_of_steps_and_no_rounding_that_adds_up():
    assert len(axis(0, 1, 10.0)) == 10
    assert len(axis(0, 0.3, 10.0)) == 3  # 0.3 · 10 = 2.9999999999999996
    assert axis(5, 5, 2.0).size == 0
    assert axis(1e9, 1e9 + 3600, 100.0)[-1] == pytest.approx(1e9 + 3599.99, abs=1e-6)
    for wrong in ((1, 0, 1.0), (0, 1, 0.0), (0, 1, nan)):
        with pytest.raises(ValueError, match="no time axis"):
            axis(*wrong)


def test_a_clocks_offset_and_drift_are_found_and_undone():
    true = 1.7e9 + np.sort(np.random.default_rng(1).uniform(0, 86400, 50))
    clock = Clock(offset=-3.2, drift=40e-6)
    drifting = Clock.between(clock.stamp(true), true)
    assert drifting.drift == pytest.approx(40e-6, rel=1e-4)
    np.testing.assert_allclose(drifting.common(clock.stamp(true)), true, atol=2e-5)
    np.testing.assert_allclose(clock.common(clock.stamp(true)), true, rtol=0, atol=1e-6)
    log = Stream("own", Clock(2.0, 0.5).stamp(np.arange(4.0)), np.arange(4.0)).on(Clock(2.0, 0.5))
    np.testing.assert_allclose(log.time, np.arange(4.0), atol=1e-12)
    with pytest.raises(ValueError, match="two moments"):
        Clock.between(np.array([1.0, 1.0]), np.array([2.0, 2.0]))


def test_out_of_order_stamps_are_an_error_or_sorted():
    log = stream([0, 2, 1, 3], [0, 20, 10, 30], modality="imu")
    with pytest.raises(ReadError, match=r"log.csv: 1 stamps .* first row 2 \(1.000000 s after 2.000000 s\)") as fault:
        log.ordered()
    assert fault.value.modality == "imu"
    assert 'unordered="sort"' in str(fault.value)
    got = log.ordered(unordered="sort")
    assert got.time.tolist() == [0, 1, 2, 3]
    assert got.value.ravel().tolist() == [0, 10, 20, 30]


@pytest.mark.parametrize(("which", "expected"), [("first", [0, 1, 4]), ("last", [0, 3, 4]), ("mean", [0, 2, 4])])
def test_duplicate_stamps_are_an_error_or_merged_as_asked(which, expected):
    log = stream([0, 1, 1, 1 + 1e-7, 2], [0, 1, nan, 3, 4])
    with pytest.raises(ReadError, match=r"2 stamps stand twice, first 1\.000000 s in rows 1 and 2"):
        log.ordered()
    got = log.ordered(duplicates=which)
    np.testing.assert_allclose(got.time, [0, 1, 2])
    assert got.value.ravel().tolist() == expected


def test_sorting_finds_the_duplicates_too():
    log = stream([1, 0, 1], [1, 0, 3])
    with pytest.raises(ReadError, match="twice"):
        log.ordered(unordered="sort")
    assert log.ordered("sort", "last").value.ravel().tolist() == [0, 3]


def test_a_wrong_rate_is_told_and_a_gap_is_not_one():
    time = np.delete(axis(0, 60, 10.0), slice(200, 400))
    log = Stream("imu.csv", time, np.zeros(len(time)))
    log.check_rate(10.0)
    assert log.gaps(1.0).tolist() == [[pytest.approx(19.9), pytest.approx(40.0)]]
    assert len(log.gaps(21.0)) == 0
    with pytest.raises(ReadError, match=r"imu\.csv: it runs at 10 Hz, not at the 100 Hz"):
        log.check_rate(100.0)
    with pytest.raises(ReadError, match=r"runs at 0\.01 Hz.*seconds\?"):  # stamps in milliseconds
        Stream("ms", time * 1000, np.zeros(len(time))).check_rate(10.0)


def test_shapes_and_stamps_that_are_none_are_told():
    with pytest.raises(ReadError, match=r"\(3,\) stamps do not belong to values of shape \(2, 1\)"):
        stream([0, 1, 2], [0, 1])
    with pytest.raises(ReadError, match="1 stamps are no number, first in row 1"):
        stream([0, nan], [0, 1])


def test_an_empty_log_says_nothing():
    log, at = Stream("empty", np.zeros(0), np.zeros((0, 2))).ordered(), np.arange(3.0)
    for how in ("hold", "mean", "max", "interpolate"):
        got = align({"s": log}, at, {"s": Rule(how, 1.0)})["s"]
        assert got.shape == (3, 2)
        assert np.isnan(got).all()
    assert (window(log, at, 1.0, "count") == 0).all()
