"""A heating schedule from the forecast occupancy, judged at equal comfort."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from crossfade.targets.thermal import Course, House, discomfort, energy, floor_of, follow, thermostat

CAUTION = torch.linspace(0.05, 0.95, 19)  # probabilities from which on somebody is expected


class Rules(NamedTuple):
    """°C while somebody is expected at home; °C at any time; K·h a day of discomfort allowed beyond a thermostat's."""

    setpoint: float
    setback: float
    tolerance: float


class Plan(NamedTuple):
    """The schedule of N houses beside the thermostat that holds the set-point all day."""

    probability: Tensor  # (): somebody is expected in the hours that are at least as likely
    home: Tensor  # (N, T)
    floor: Tensor  # (N, S + 1), °C
    schedule: Course
    thermostat: Course
    used: Tensor  # (N,), kWh
    usual: Tensor  # (N,), kWh of the thermostat
    discomfort: Tensor  # (N,), K·h more than with the thermostat


def plan(probability: Tensor, occupied: Tensor, house: House, rules: Rules) -> Plan:
    """Schedules from the probability (N, T) that somebody is at home; occupied (N, T) is what came, as hourly shares.

    Somebody is expected where the probability is at least θ. θ is the highest of `CAUTION` whose discomfort, averaged
    over the N houses, exceeds the thermostat's by no more than the tolerance: all schedules are compared at that same
    comfort. Where none does, somebody is always expected, which is the thermostat. θ is thus read off the samples that
    are scored, one number for all of them.
    """
    house = House(*(x.double() for x in house))
    probability, occupied = probability.double(), occupied.double()
    usual = thermostat(house, rules.setpoint)
    caution = torch.cat([torch.zeros(1), CAUTION]).double().to(probability.device)  # 0: always
    home = probability >= caution.view(-1, 1, 1)
    floor = floor_of(home, house, rules.setpoint, rules.setback)
    course = follow(floor, house)
    more = discomfort(course, occupied, rules.setpoint) - discomfort(usual, occupied, rules.setpoint)
    bearable = (more.mean(-1) <= rules.tolerance).cumprod(0)  # discomfort grows with θ
    best = bearable.sum() - 1
    end = usual.temperature[..., -1]
    return Plan(
        probability=caution[best],
        home=home[best],
        floor=floor[best],
        schedule=Course(course.temperature[best], course.heat[best]),
        thermostat=usual,
        used=energy(course, house, end)[best],
        usual=energy(usual, house, end),
        discomfort=more[best],
    )
