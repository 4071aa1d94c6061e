"""Heat, air, weather and electricity of the built-in homes: closed forms, balances, an ODE solver."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from crossfade.data.smart_home import air, thermal, weather, world
from crossfade.data.smart_home.names import HOUR, STEPS

R, C, HOURS = np.array([6.0]), np.array([5.0]), 1 / 12


def flat(value, steps=STEPS):
    return np.full((1, steps), float(value))


def test_the_step_response_is_the_exponential_of_rc_whatever_the_step():
    for hours in (0.01, 1.0, 40.0):
        got = thermal.step(np.array([15.0]), np.array([0.0]), np.array([3.0]), R, C, hours)
        assert got == pytest.approx(18 + (15 - 18) * np.exp(-hours / 30), rel=1e-12)
    assert thermal.step(np.array([15.0]), np.array([0.0]), np.array([3.0]), R, C, 30.0) == pytest.approx(
        18 - 3 / np.e, rel=1e-12
    )


def test_many_small_steps_are_one_large_and_both_are_the_solvers():
    temperature = np.array([12.0])
    for _ in range(60):
        temperature = thermal.step(temperature, np.array([-4.0]), np.array([2.5]), R, C, 0.2)
    assert temperature == pytest.approx(thermal.step(np.array([12.0]), np.array([-4.0]), np.array([2.5]), R, C, 12.0))
    solved = solve_ivp(lambda t, y: ((-4 - y) / 6 + 2.5) / 5, (0, 12), [12.0], rtol=1e-10, atol=1e-10).y[0, -1]
    assert temperature[0] == pytest.approx(solved, abs=1e-7)


def test_the_mean_over_a_step_closes_its_energy_balance():
    start, outdoor, heat = np.array([19.0]), np.array([2.0]), np.array([4.0])
    end = thermal.step(start, outdoor, heat, R, C, 7.0)
    mean = thermal.mean_over_step(start, outdoor, heat, R, C, 7.0)
    assert C * (end - start) == pytest.approx(7.0 * (heat - (mean - outdoor) / R), rel=1e-12)


def test_the_thermostat_reaches_its_set_point_and_stays_within_its_power():
    set_point = flat(20)
    set_point[:, 1000:] = 22
    outdoor = -5 + 6 * np.sin(2 * np.pi * HOUR / 24)[None]
    temperature, heat = thermal.hold(set_point, outdoor, flat(0.3), R, C, np.array([7.0]), HOURS)
    assert np.allclose(temperature[:, 1:1000], 20)
    assert heat.min() >= 0
    assert heat.max() == 7.0  # while it heats up
    assert np.allclose(temperature[:, 1100:], 22)
    steady = (20 - outdoor[:, 500]) / 6 - 0.3
    assert heat[:, 500] == pytest.approx(steady, rel=1e-6)


def test_it_never_cools():
    temperature, heat = thermal.hold(flat(20), flat(30), flat(0), R, C, np.array([7.0]), HOURS)
    assert (heat == 0).all()
    assert temperature[0, -1] == pytest.approx(30, abs=0.01)


def test_carbon_dioxide_comes_into_balance_with_the_people():
    """c = c_out + S n/(V λ), approached with time constant 1/λ."""
    people = np.where(np.arange(STEPS) < 600, 0.0, 2.0)[None]
    ppm = air.balance(air.EXHALED * 1e6 * people / 250, flat(420), np.array([0.5]), HOURS)
    assert np.allclose(ppm[:, :601], 420)
    level = 18000 * 2 / (250 * 0.5)
    assert ppm[0, -1] == pytest.approx(420 + level)
    assert ppm[0, 600 + 24] == pytest.approx(420 + level * (1 - np.exp(-1)))  # after 2 h = 1/λ


def test_saturated_air_holds_what_tables_say():
    """g/m³ at 0, 10, 20, 30 °C (e.g. VDI-Wärmeatlas): 4.85, 9.40, 17.3, 30.4."""
    np.testing.assert_allclose(air.saturation(np.array([0.0, 10, 20, 30])), [4.85, 9.40, 17.3, 30.4], rtol=0.006)


def test_the_sun_is_where_it_should_be():
    noon = weather.sun_height(np.array([172, 355, 80]), np.array([12.0]))  # solstices and equinox at 50° north
    np.testing.assert_allclose(np.rad2deg(np.arcsin(noon)), [63.4, 16.6, 40.0], atol=0.5)
    assert weather.sun_height(np.array([355]), np.array([7.0])) == 0
    assert weather.sun_height(np.array([80]), np.array([6.0])) == pytest.approx(0, abs=0.01)


def test_fronts_have_unit_variance_and_their_time_constant():
    noise = np.random.default_rng(0).standard_normal((400, 240))
    process = weather.autoregressive(noise, 36.0)
    assert process.std() == pytest.approx(1, abs=0.05)
    assert (process[:, 36:] * process[:, :-36]).mean() == pytest.approx(np.exp(-1), abs=0.06)


def test_forecasts_err_more_the_further_they_look_and_not_at_all_without_noise():
    truth = np.zeros((4000, 24))
    error = weather.forecast(truth, np.random.default_rng(0).standard_normal((4000, 24)), 1.0)
    lead = np.arange(1, 25) / 24
    np.testing.assert_allclose(error.std(axis=0), np.sqrt(0.16 + 1.53 * lead), rtol=0.06)
    assert (weather.forecast(truth, error, 0.0) == 0).all()


@pytest.fixture(scope="module")
def homes():
    return world.simulate(0, 12)


def test_every_step_of_every_house_conserves_energy(homes):
    r, c = homes.homes.resistance[:, None], homes.homes.capacity[:, None]
    power = (homes.heat + homes.gains)[:, :-1]
    now, then, outdoor = homes.indoor[:, :-1], homes.indoor[:, 1:], homes.outdoor[:, :-1]
    mean = thermal.mean_over_step(now, outdoor, power, r, c, HOURS)
    np.testing.assert_allclose(c * (then - now), HOURS * (power - (mean - outdoor) / r), atol=1e-9)


def test_the_meter_counts_the_appliances_and_the_heat_pump(homes):
    pump = homes.heat / world.coefficient_of_performance(homes.outdoor)
    rest = homes.electric - pump
    assert (rest >= homes.homes.standby[:, None] - 1e-6).all()
    assert (homes.heat <= homes.homes.heater[:, None] + 1e-9).all()
    people = world.PERSON_KW * homes.rhythm.home.sum(axis=1)
    sun = homes.homes.aperture[:, None] * homes.irradiance / 1000
    np.testing.assert_allclose(homes.gains, people + sun + world.ELECTRIC_HEAT * rest, atol=1e-9)


def test_values_are_in_their_units_usual_range(homes):
    assert 19 < np.median(homes.indoor) < 23
    assert homes.indoor.min() > 15
    assert homes.outdoor.min() > -30
    assert homes.outdoor.max() < 32
    assert (homes.irradiance >= 0).all()
    assert homes.irradiance.max() < 1000
    assert (homes.co2 >= 420).all()
    assert homes.co2.max() < 4000
    assert ((homes.humidity >= 0) & (homes.humidity <= 100)).all()
    assert 0.3 < homes.electric.mean() < 3


def test_nobody_is_up_who_is_not_at_home_and_nobody_is_there_who_does_not_exist(homes):
    life = homes.rhythm
    assert not (life.up & ~life.home).any()
    assert not (life.moves & ~life.up).any()
    for i, count in enumerate(homes.homes.residents):
        assert not life.home[i, count:].any()
    assert not life.pet_moves[~homes.homes.pet].any()
    night = (HOUR > 2) & (HOUR < 4)
    assert life.up[..., night].mean() < 0.1 < life.home[..., night].mean()


def test_lamps_burn_only_in_the_dark_where_somebody_is_up(homes):
    dark = homes.irradiance < 60
    assert not (homes.lit & ~dark[:, None]).any()
    assert not (homes.lit & ~homes.awake[:, None]).any()
    assert (homes.lit.any(axis=1) == (homes.awake & dark)).all()
