"""Moments, and their series: what happens when, and that no row of a series knows what is still to come."""

import numpy as np
import pytest

from crossfade.data.align import window
from crossfade.data.smart_home import camera, commands, moments, rendering, sensors, series, truths, world
from crossfade.data.smart_home.moments import EACH, PERIOD, STRETCHES, WINDOWS
from crossfade.data.smart_home.names import (
    AHEAD_H,
    EVENTS,
    GLASS,
    HALL,
    INTRUDER,
    LIVING,
    NOBODY,
    PER_DAY,
    PER_HOUR,
    PET,
    RESIDENT,
    ROOMS,
    STEP,
    STEPS,
)  # fmt: skip
from crossfade.data.synthetic.draws import Uniforms

HOUSES = 24


@pytest.fixture(scope="module")
def homes():
    return world.simulate(0, HOUSES)


@pytest.fixture(scope="module")
def looked(homes):
    return moments.draw(homes, 0)


def rendered(name, homes, looked, noise=1.0, size=16):
    return rendering.render(name, homes, looked, 0, 0, noise, size)


def test_windows_of_a_stretch_follow_each_other_within_one_step(looked):
    end = looked.end.reshape(HOUSES, STRETCHES, WINDOWS)
    np.testing.assert_allclose(np.diff(end, axis=-1), PERIOD)
    assert (looked.end > looked.step * STEP + PERIOD - 1e-6).all()  # the whole window lies in the step
    assert (looked.end <= (looked.step + 1) * STEP).all()
    assert (looked.step >= 2 * PER_DAY).all()  # two days of history
    assert (looked.step < STEPS - PER_DAY).all()  # one of future


def test_the_event_is_what_the_house_and_the_intruder_make_it(homes, looked):
    up = homes.awake[looked.household, looked.step]
    pet = homes.rhythm.pet_moves[looked.household, looked.step]
    for i, event in enumerate(looked.event):
        inside = looked.inside[i] >= 0
        broke = looked.glass[i]
        expected = GLASS if broke else INTRUDER if inside else RESIDENT if up[i] else PET if pet[i] else NOBODY
        assert event == expected
        assert inside == (looked.onset[i] < looked.end[i])
        if broke:
            assert looked.end[i] - PERIOD <= looked.onset[i] < looked.end[i]
            assert looked.entry[i] != HALL
    assert set(looked.event) == set(range(len(EVENTS)))


def test_an_intruder_stays_and_the_time_since_runs_with_the_clock(homes, looked):
    inside = (looked.inside >= 0).reshape(-1, WINDOWS)
    assert (np.diff(inside.astype(int), axis=1) >= 0).all()
    assert inside[:, -1].any()
    assert not inside[:, -1].all()
    since = looked.since.reshape(-1, WINDOWS)
    both = inside[:, :-1] & inside[:, 1:]
    np.testing.assert_allclose(np.diff(since, axis=1)[both], PERIOD)
    assert np.isnan(since[~inside]).all()
    told = truths.intrusion(homes, looked)
    assert [t["intruder"] for t in told] == (looked.inside >= 0).astype(int).tolist()
    episodes = np.array([t["episode"] for t in told]).reshape(-1, WINDOWS)
    assert (episodes == episodes[:, :1]).all()
    assert len(set(episodes[:, 0])) == HOUSES * STRETCHES


def test_only_who_is_up_in_a_room_with_devices_speaks_and_never_to_a_stranger(homes, looked):
    for i in np.flatnonzero(looked.speaker >= 0):
        h, step = looked.household[i], looked.step[i]
        assert homes.rhythm.up[h, looked.speaker[i], step]
        assert homes.rhythm.room[h, looked.speaker[i], step] == looked.place[i] != HALL
        assert looked.event[i] == RESIDENT
    told = truths.command(homes, looked)
    assert [t is not None for t in told] == (looked.speaker >= 0).tolist()
    for i, meant in enumerate(told):
        if meant is None:
            assert commands.words(looked.commands, i) == []
            continue
        said = " ".join(commands.words(looked.commands, i))
        room = meant["room"].replace("_", " ")
        assert meant["device"] in said
        assert (room in said) == bool(looked.commands.named[i])
        assert looked.commands.named[i] or ROOMS.index(meant["room"]) == looked.place[i]
        assert (meant["value"] is not None) == (meant["intent"] == "set")


def test_the_energy_of_the_next_day_is_the_simulations(homes, looked):
    told = truths.energy(homes, looked)
    for i in (0, 31, HOUSES * EACH - 1):
        h, first = looked.household[i], looked.step[i] + 1
        for name, values in (("load", homes.electric), ("occupied", homes.occupied), ("outdoor", homes.outdoor)):
            hours = values[h, first : first + AHEAD_H * PER_HOUR].reshape(AHEAD_H, PER_HOUR).mean(axis=1)
            np.testing.assert_allclose(told[i][name], hours, rtol=1e-6)
            assert told[i][name].dtype == np.float32
        assert told[i]["indoor"] == homes.indoor[h, first]
        assert told[i]["resistance"] == homes.homes.resistance[h]


def changed(homes, i, looked, field, by):
    """The same world, but with other values of a field after the end of sample i."""
    values = getattr(homes, field).copy()
    values[looked.household[i], looked.step[i] + 1 :] += by
    return type(homes)(**{**vars(homes), field: values})


@pytest.mark.parametrize(
    ("name", "field"), [("power", "electric"), ("climate", "indoor"), ("climate", "co2"), ("climate", "lux")]
)
def test_series_do_not_see_the_future(homes, looked, name, field):
    i = 7
    later = changed(homes, i, looked, field, 500.0)
    np.testing.assert_array_equal(rendered(name, homes, looked)[i], rendered(name, later, looked)[i])


def test_the_weather_looks_ahead_only_through_its_forecast(homes, looked):
    i = 7
    later = changed(homes, i, looked, "outdoor", 50.0)
    a, b = (rendered("weather", w, looked)[i] for w in (homes, later))
    np.testing.assert_array_equal(a[:48], b[:48])
    np.testing.assert_allclose(b[48:, 0] - a[48:, 0], 50, rtol=1e-5)
    exact = rendered("weather", homes, looked, noise=0.0)[i]
    first = looked.step[i] + 1
    hours = homes.outdoor[looked.household[i], first : first + 288].reshape(24, 12).mean(axis=1)
    np.testing.assert_allclose(exact[48:, 0], hours, rtol=1e-5)
    np.testing.assert_allclose(exact[:, 2] ** 2 + exact[:, 3] ** 2, 1, rtol=1e-5)


def test_power_has_the_meters_minutes_and_hours(homes, looked):
    got = rendered("power", homes, looked, noise=0.0)
    assert got.shape == (HOUSES * EACH, 48, 2)
    for i in (3, 50):
        h, end = looked.household[i], looked.end[i]
        minutes = np.floor(end / 60) * 60 - 60 * np.arange(47, -1, -1)  # ends of the meter's minutes
        expected = homes.electric[h, ((minutes - 60) / STEP).astype(int)]
        np.testing.assert_allclose(got[i, :, 0], expected, rtol=1e-5)
        hour = [homes.electric[h, ((minutes[-1] - 60 * k - 60) / STEP).astype(int)] for k in range(60)]
        assert got[i, -1, 1] == pytest.approx(np.mean(hour), rel=1e-5)


def test_motion_counts_every_event_once_in_each_zoom(homes, looked):
    got = rendered("motion", homes, looked)
    rates = sensors.event_rates(homes, 1.0)
    (house,) = rendering.generators(0, np.array([5]), rendering.STREAMS["house of motion"])
    logs = sensors.infrared(rates[5], house)
    rows = np.arange(5 * EACH, 6 * EACH)
    for r, log in enumerate(logs):
        expected = 5 * float(rates[5, r].sum())
        assert abs(len(log.time) - expected) < 6 * np.sqrt(expected) + 5
        quiet = rows[looked.inside[rows] < 0]
        for i in quiet:
            inside = (log.time > looked.end[i] - 48 * 60) & (log.time <= looked.end[i])
            assert got[i, :, r].sum() == inside.sum()
            assert got[i, -1, len(ROOMS) + r] == window(log, looked.end[i : i + 1], 3600, "count")[0, 0]
    entered = np.flatnonzero((looked.inside >= 0) & ~homes.awake[looked.household, looked.step])
    assert got[entered, -1, :5].sum(axis=1).mean() > 1
    minutes = got[:, -1, :5].sum(axis=1)
    assert (minutes <= got[:, -1, 5:].sum(axis=1)).all()  # the last hour holds the last minute


def test_nodes_clocks_are_put_right():
    """A reading is stamped within a millisecond of when it was made, though the node is seconds off."""
    rng = np.random.default_rng(3)
    ramp = np.arange(STEPS, dtype=float)
    log = sensors.readings("temperature", ramp, 0.0, rng)
    log.check_rate(1 / 300, tolerance=1e-6)
    np.testing.assert_allclose(log.value[:, 0], np.floor(log.time / STEP + 1e-6))
    lost = sensors.readings("light", ramp, 1.0, rng)
    assert 1 - len(lost.time) / (STEPS * 5) == pytest.approx(sensors.LOST, abs=0.01)
    assert (lost.value >= 0).all()


def test_the_camera_shows_people_only_where_they_are(homes, looked):
    rows = np.arange(HOUSES * EACH)
    there, moves = camera.people(homes, looked, rows)
    assert not (moves & ~there).any()
    assert (there[:, -1] == (looked.inside == LIVING)).all()
    one = np.flatnonzero(there[:, -1])[:1]
    empty = type(looked)(**{**vars(looked), "inside": np.full_like(looked.inside, -1)})

    def shot(which):
        u = Uniforms([np.random.default_rng(1)], camera.UNIFORMS)
        rooms = Uniforms([np.random.default_rng(0)], camera.ROOM_UNIFORMS)
        return camera.render(homes, which, one, 32, 0.0, rooms, u, [])[0]

    difference = np.abs(shot(looked) - shot(empty))
    assert difference.max() > 0.02
    assert 0.02 < (difference[0] > 0.01).mean() < 0.4  # a person's size
    centre = [(frame * np.arange(32)).sum() / frame.sum() for frame in difference]
    assert np.ptp(centre) > 0.5  # and walks


def test_the_rows_of_every_series_are_as_documented(homes, looked):
    shapes = {"motion": (48, series.MOTION), "climate": (48, series.CLIMATE), "power": (48, series.POWER),
              "weather": (72, series.WEATHER)}  # fmt: skip
    for name, shape in shapes.items():
        got = rendered(name, homes, looked)
        assert got.shape == (HOUSES * EACH, *shape)
        assert got.dtype == np.float32
    lost = np.isnan(rendered("climate", homes, looked)).mean(axis=(0, 1))
    assert (lost < 0.05).all()
