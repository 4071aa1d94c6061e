"""The house: the exact step, the least heat, and schedules at equal comfort."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.optimize import linprog

from crossfade.targets.heating import Rules, plan
from crossfade.targets.thermal import STEPS, House, discomfort, energy, floor_of, follow, step, thermostat

HOURS = 24


def house(outdoor=0.0, indoor=21.0, resistance=8.0, capacity=4.0, heater=6.0, hours=HOURS):
    """One house; RC = 32 h."""
    out = torch.as_tensor(outdoor, dtype=torch.float64).expand(1, hours)
    return House(out, *(torch.tensor([x], dtype=torch.float64) for x in (indoor, resistance, capacity, heater)))


def home(*spans, hours=HOURS):
    there = torch.zeros(1, hours, dtype=torch.bool)
    for start, end in spans:
        there[:, start:end] = True
    return there


def test_a_step_is_the_solution_of_the_differential_equation():
    h = house()
    found = step(torch.tensor([18.0]).double(), torch.tensor([-5.0]), torch.tensor([2.5]), h, 3.0)
    ode = solve_ivp(lambda t, x: ((-5.0 - x) / 8.0 + 2.5) / 4.0, (0, 3.0), [18.0], rtol=1e-10, atol=1e-10)
    assert found.item() == pytest.approx(ode.y[0, -1], abs=1e-7)
    twice = step(step(h.indoor, h.indoor * 0, h.indoor * 0, h, 1.0), h.indoor * 0, h.indoor * 0, h, 1.0)
    assert twice.item() == pytest.approx(21.0 * np.exp(-2 / 32))


def test_a_thermostat_spends_what_is_lost():
    usual = thermostat(house(outdoor=-3.0), 21.0)
    torch.testing.assert_close(usual.temperature, torch.full((1, HOURS * STEPS + 1), 21.0).double())
    torch.testing.assert_close(usual.heat, torch.full((1, HOURS * STEPS), 24.0 / 8.0).double())
    assert energy(usual, house(), usual.temperature[:, -1]).item() == pytest.approx(24 * 3.0)


def test_a_cold_house_is_heated_in_full_and_its_discomfort_counts_by_presence():
    h = house(outdoor=-30.0, indoor=15.0)  # 6 kW hold it at −30 + 48 = 18 °C
    usual = thermostat(h, 21.0)
    t = np.arange(HOURS * STEPS + 1) / STEPS
    np.testing.assert_allclose(usual.temperature[0], 18 - 3 * np.exp(-t / 32), rtol=1e-12)
    assert (usual.heat == 6.0).all()
    occupied = torch.full((1, HOURS), 0.5).double()
    exact = 0.5 * (3 * 24 + 3 * 32 * (1 - np.exp(-24 / 32)))  # ∫ ½·(21 − T) dt
    assert discomfort(usual, occupied, 21.0).item() == pytest.approx(exact, rel=1e-5)


def test_the_house_is_warm_in_time_and_no_sooner():
    h = house()
    course = follow(floor_of(home((0, 4), (16, 24)), h, 21.0, 15.0), h)
    temperature, heat = course.temperature[0], course.heat[0]
    at_home = torch.cat([temperature[: 4 * STEPS + 1], temperature[16 * STEPS :]])
    torch.testing.assert_close(at_home, torch.full_like(at_home, 21.0))
    assert heat[4 * STEPS] == 0  # the heating goes off when everybody leaves
    coldest = temperature.argmin()
    full = heat[coldest + 1 : 16 * STEPS]
    assert len(full) > STEPS
    torch.testing.assert_close(full, torch.full_like(full, 6.0))  # and comes back in full, as late as that allows


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_course_needs_less_heat(seed):
    """The least heat by linear programming over the same steps, floors and heater."""
    rng = np.random.default_rng(seed)
    hours = 12
    h = house(rng.normal(2, 4, hours), 19.0 + seed, rng.uniform(5, 9), rng.uniform(2, 5), 6.0, hours)
    there = torch.from_numpy(rng.uniform(size=(1, hours)) < 0.4)
    floor = torch.where(
        torch.cat([there.repeat_interleave(STEPS, 1), torch.zeros(1, 1, dtype=torch.bool)], 1)
        | torch.cat([torch.zeros(1, 1, dtype=torch.bool), there.repeat_interleave(STEPS, 1)], 1),
        21.0,
        16.0,
    )[0].numpy()
    course = follow(floor_of(there, h, 21.0, 16.0), h)
    resistance, capacity = h.resistance.item(), h.capacity.item()
    a = np.exp(-1 / STEPS / (resistance * capacity))
    outdoor = np.repeat(h.outdoor[0].numpy(), STEPS)
    steps = hours * STEPS
    # T_k = a^k T_0 + Σ_j a^(k-1-j) (1 − a)(outdoor_j + R·P_j)
    power = np.tril(a ** np.clip(np.arange(steps)[:, None] - np.arange(steps), 0, None)) * (1 - a)
    start = a ** np.arange(1, steps + 1) * h.indoor.item() + power @ outdoor
    reachable = start + power @ np.full(steps, 6.0 * resistance)
    below = np.minimum(floor[1:], reachable)  # where even full heat from the start is too little
    owed = capacity * power[-1] * resistance  # heat that is still in the house counts as kept
    solved = linprog(
        np.full(steps, 1 / STEPS) - owed, A_ub=-power * resistance, b_ub=start - below, bounds=(0, 6.0), method="highs"
    )
    assert solved.success
    ours = energy(course, h, torch.zeros(1).double()).item()
    assert ours == pytest.approx(solved.fun - capacity * start[-1], abs=1e-6)
    assert (course.temperature[0, 1:].numpy() >= below - 1e-6).all()


@pytest.mark.parametrize("spans", [((0, 4), (16, 24)), ((0, 4),)], ids=["warm at the end", "cold at the end"])
def test_what_is_saved_is_what_a_colder_house_loses_less(spans):
    """∫ (T_thermostat − T_schedule) dt / R; what the house has cooled down by at the end is no saving."""
    h = house()
    occupied = home(*spans).double()
    made = plan(occupied, occupied, h, Rules(21.0, 15.0, 0.0))
    temperature, heat = made.schedule
    # the mean of a step's exponential: T_inf + (T − T′)·RC/Δt
    mean = 8.0 * heat + (temperature[:, :-1] - temperature[:, 1:]) * 32.0 * STEPS
    saved = (21.0 - mean).sum().item() / STEPS / 8.0
    assert (made.usual - made.used).item() == pytest.approx(saved, rel=1e-9)
    assert saved > 1.0
    assert (temperature[0, -1] < 16) == (len(spans) == 1)


def test_the_schedule_keeps_the_tolerance_by_caution():
    occupied = home((0, 7), (17, 24)).double()
    probability = torch.full((1, HOURS), 0.1).double()
    probability[:, :7] = 0.9
    probability[:, 17:] = 0.6
    probability[:, 20] = 0.2  # an hour that is doubted wrongly
    strict = plan(probability, occupied, house(), Rules(21.0, 15.0, 1e-6))
    assert 0.1 < strict.probability <= 0.2
    assert strict.discomfort.item() <= 1e-6
    lax = plan(probability, occupied, house(), Rules(21.0, 15.0, 3.0))
    assert 0.2 < lax.probability <= 0.6
    assert 0 < lax.discomfort.item() <= 3.0
    assert lax.used < strict.used < strict.usual
    # knowing nothing, somebody is always expected
    none = plan(torch.zeros(1, HOURS), occupied, house(), Rules(21.0, 15.0, 0.0))
    assert none.probability == 0
    torch.testing.assert_close(none.used, none.usual)


def test_houses_do_not_see_each_other():
    rng = np.random.default_rng(0)
    many = House(
        *(
            torch.from_numpy(x)
            for x in (
                rng.normal(0, 5, (5, HOURS)),
                rng.uniform(17, 21, 5),
                rng.uniform(5, 9, 5),
                rng.uniform(2, 6, 5),
                rng.uniform(4, 8, 5),
            )
        )
    )
    there = torch.from_numpy(rng.uniform(size=(5, HOURS)) < 0.5)
    whole = follow(floor_of(there, many, 21.0, 16.0), many)
    for i in range(5):
        one = House(*(x[i : i + 1] for x in many))
        alone = follow(floor_of(there[i : i + 1], one, 21.0, 16.0), one)
        torch.testing.assert_close(alone.temperature[0], whole.temperature[i])
        torch.testing.assert_close(alone.heat[0], whole.heat[i])
