"""A house as one resistance and one capacity, its heating, and a schedule that heats no sooner than it must.

    C·dT/dt = (T_out − T)/R + P        T in °C, t in h, P in kW, R in K/kW, C in kWh/K

Within a step P and T_out are constant, so that the step is exact:

    T′ = T_inf + (T − T_inf)·a,        T_inf = T_out + R·P,   a = exp(−Δt/(R·C))

The floor F is the temperature that the house must have at the end of each step. It is the set-point while somebody is
expected at home and the setback else, but never so low that full heat from then on would come too late; that is one
step backwards from the next floor, T = T_inf + (F′ − T_inf)/a at full heat. The heater gives in each step the least
power that reaches the floor. Since a house loses the less heat the colder it is, no schedule that keeps the same floors
needs less.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

STEPS = 4  # an hour


class House(NamedTuple):
    """Constants of N houses, each (N,), and the hourly means outdoors (N, T)."""

    outdoor: Tensor  # °C
    indoor: Tensor  # °C, at the start
    resistance: Tensor  # K/kW
    capacity: Tensor  # kWh/K
    heater: Tensor  # kW, largest heat


class Course(NamedTuple):
    """What becomes of a floor: temperature (…, S + 1) in °C at the steps' bounds, heat (…, S) in kW in between."""

    temperature: Tensor
    heat: Tensor


def step(temperature: Tensor, outdoor: Tensor, heat: Tensor, house: House, hours: float) -> Tensor:
    """T′ after `hours` of constant outdoor temperature and heat."""
    final = outdoor + house.resistance * heat
    return final + (temperature - final) * torch.exp(-hours / (house.resistance * house.capacity))


def floor_of(home: Tensor, house: House, setpoint: float, setback: float) -> Tensor:
    """F (…, N, S + 1) of `home` (…, N, T), true for the hours in which somebody is expected."""
    steps = home.repeat_interleave(STEPS, -1)
    outdoor = house.outdoor.repeat_interleave(STEPS, -1)
    decay = torch.exp(-1 / STEPS / (house.resistance * house.capacity))
    warm = house.resistance * house.heater
    bounds = torch.zeros_like(steps[..., :1])
    wanted = torch.cat([steps, bounds], -1) | torch.cat([bounds, steps], -1)  # at both ends of such an hour
    floor = torch.where(wanted, setpoint, setback).to(outdoor.dtype)
    found = [floor[..., -1]]
    for s in range(steps.shape[-1] - 1, -1, -1):
        final = outdoor[..., s] + warm
        # a house that even full heat cannot bring there is heated in full from the start
        sooner = torch.where(final > found[-1], final + (found[-1] - final) / decay, setpoint)
        found.append(torch.maximum(floor[..., s], sooner).clamp(max=setpoint))
    return torch.stack(found[::-1], -1)


def follow(floor: Tensor, house: House) -> Course:
    """The course of the houses whose heaters keep them at or above the floor (…, N, S + 1) as far as they can."""
    outdoor = house.outdoor.repeat_interleave(STEPS, -1)
    decay = torch.exp(-1 / STEPS / (house.resistance * house.capacity))
    temperature = [house.indoor.expand(floor.shape[:-1])]
    heat = []
    for s in range(floor.shape[-1] - 1):
        needed = (floor[..., s + 1] - temperature[-1] * decay) / (1 - decay)  # the T_inf that ends on the floor
        power = ((needed - outdoor[..., s]) / house.resistance).clamp(min=0).minimum(house.heater)
        heat.append(power)
        temperature.append(step(temperature[-1], outdoor[..., s], power, house, 1 / STEPS))
    return Course(torch.stack(temperature, -1), torch.stack(heat, -1))


def thermostat(house: House, setpoint: float) -> Course:
    """The course of houses that hold the set-point at all times."""
    always = torch.ones_like(house.outdoor, dtype=torch.bool)
    return follow(floor_of(always, house, setpoint, setpoint), house)


def energy(course: Course, house: House, end: Tensor) -> Tensor:
    """Heat in kWh, Σ P·Δt + C·(end − T): what the house is colder by than `end` (…, N) at the end is still owed."""
    return course.heat.sum(-1) / STEPS + house.capacity * (end - course.temperature[..., -1])


def discomfort(course: Course, occupied: Tensor, setpoint: float) -> Tensor:
    """∫ occupied·max(0, setpoint − T) dt in K·h (…, N), by the trapezoidal rule; occupied (N, T) are hourly shares."""
    short = (setpoint - course.temperature).clamp(min=0)
    each = (short[..., :-1] + short[..., 1:]) / 2
    return (each * occupied.repeat_interleave(STEPS, -1)).sum(-1) / STEPS
