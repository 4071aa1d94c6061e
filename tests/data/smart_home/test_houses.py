"""The houses and their people: how heavy, how long empty, and that a heating schedule has something to save."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from crossfade.config.compose import compose
from crossfade.data.smart_home import households, moments, rhythm, truths, world
from crossfade.data.smart_home.names import DAYS, PER_DAY, PER_HOUR, STEPS
from crossfade.registry import groups
from crossfade.targets.heating import Rules, plan
from crossfade.targets.thermal import House


def test_a_house_is_as_heavy_and_as_tight_as_its_classes_say():
    u = np.random.default_rng(0).random((500, households.COUNT))
    homes = households.draw(u)
    hours = homes.resistance * homes.capacity
    # capacity (80 … 165 kJ/(m²K), in Wh) over loss (1 … 2.6 W/(m²K)): the area cancels
    assert 80 / 3.6 / 2.6 < hours.min() < 80 / 3.6 / 2.4
    assert 165 / 3.6 / 1.1 < hours.max() < 165 / 3.6 / 1.0
    # over floors of 60 … 180 m²
    assert 80 / 3.6 * 0.060 < homes.capacity.min() < homes.capacity.max() < 165 / 3.6 * 0.180
    np.testing.assert_allclose((homes.heater - 1) * homes.resistance, 36.0)  # K held at full heat, 1 kW to spare


@pytest.mark.parametrize(("draw", "hours"), [(0.03, 58), (0.09, 34), (0.5, 0)])
def test_a_trip_empties_the_house_from_a_morning_to_an_evening(draw, hours):
    homes = households.draw(np.random.default_rng(1).random((1, households.COUNT)))
    homes = replace(homes, job=np.full_like(homes.job, households.RETIRED))
    stays = np.full((1, households.PEOPLE, DAYS, rhythm.DAILY), 0.99)  # nobody goes out otherwise
    trips = np.full((1, DAYS, 2), 0.99)
    trips[0, 3] = draw, 0.5
    steps, pet = np.full((1, households.PEOPLE, STEPS, 3), 0.5), np.full((1, STEPS, 3), 0.5)
    away = ~rhythm.simulate(homes, stays, trips, steps, pet).home.any(axis=1)[0]
    first = 3 * PER_DAY + 9 * PER_HOUR  # 8 h and half of the two hours in which trips start
    expected = np.zeros(STEPS, dtype=bool)
    expected[first : first + hours * PER_HOUR] = True
    np.testing.assert_array_equal(away, expected)


def test_perfect_foresight_saves_what_a_usual_day_does_not():
    homes = world.simulate(0, 400)
    told = truths.energy(homes, moments.draw(homes, 0))
    columns = {k: torch.tensor(np.stack([np.asarray(day[k]) for day in told])).double() for k in told[0]}
    house = House(*(columns[k] for k in ("outdoor", "indoor", "resistance", "capacity", "heater")))
    occupied, rules = columns["occupied"], Rules(21.0, 16.0, 0.5)

    def saved(probability):
        made = plan(probability, occupied, house, rules)
        return float(1 - made.used.sum() / made.usual.sum())

    assert saved((occupied > 0).double()) > 0.04
    assert saved(occupied.mean(0).expand_as(occupied)) < 0.01  # knowing only the mean day


@pytest.mark.parametrize("encoder", groups()["encoder/audio"])
def test_every_audio_encoder_can_be_chosen_as_it_is(encoder):
    assert compose("task=smart_home", f"encoder/audio={encoder}").modality["audio"].encoder in (None, {})
