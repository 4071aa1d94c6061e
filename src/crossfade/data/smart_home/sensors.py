"""What the house's sensors log all ten days, each at its own rate and by its own clock, and how the hub aligns it.

    passive infrared, one per room     an event whenever something warm moves (irregular)
    temperature, humidity              every 5 min
    illuminance                        every minute
    carbon dioxide                     every 2 min
    electricity meter                  the mean of every minute

Nodes' clocks are off by up to 5 s and drift by up to 50 ppm (43 s in ten days); once a day the hub and the node stamp
the same message, and with `align.Clock.between` the hub brings all stamps to its own time.
"""

from __future__ import annotations

import numpy as np

from crossfade.data.align import Clock, Stream, axis

from .households import PEOPLE
from .names import BEDROOM, DAYS, ROOMS, STEP, STEPS
from .world import World

LAST = STEPS * STEP  # s
RATES = {"temperature": 1 / 300, "humidity": 1 / 300, "light": 1 / 60, "co2": 1 / 120}  # Hz
SPREAD = {"temperature": 0.15, "humidity": 2.0, "light": 6.0, "co2": 25.0}  # sd of a reading, °C, %, lux, ppm
LOST = 0.03  # share of readings that never arrive
METER = 0.04  # kW, sd of what a minute's mean has beside the simulated appliances
# events per minute of a passive infrared sensor
WALKING, SITTING, SLEEPING, ANIMAL, FALSE, STRANGER = 2.5, 0.5, 0.02, 1.6, 0.01, 2.0


def event_rates(world: World, noise: float) -> np.ndarray:
    """Expected events per minute of each room's sensor at every step, (H, rooms, T); noise scales the false ones."""
    life = world.rhythm
    rates = np.full((len(life.pet_moves), len(ROOMS), STEPS), FALSE * noise, np.float32)
    for r in range(len(ROOMS)):
        for p in range(PEOPLE):
            here = life.up[:, p] & (life.room[:, p] == r)
            rates[:, r] += np.where(here, np.where(life.moves[:, p], WALKING, SITTING), 0)
            if r == BEDROOM:
                rates[:, r] += SLEEPING * (life.home[:, p] & ~life.up[:, p])
        rates[:, r] += ANIMAL * (life.pet_moves & (life.pet_room == r))
    return rates


def infrared(rates: np.ndarray, rng: np.random.Generator) -> list[Stream]:
    """One house's events, a stream per room, from its rates (rooms, T): Poisson, spread evenly over each step."""
    counts = rng.poisson(rates * (STEP / 60))
    streams = []
    for name, row in zip(ROOMS, counts, strict=True):
        time = np.repeat(np.arange(STEPS) * STEP, row) + STEP * rng.random(int(row.sum()))
        streams.append(Stream(f"infrared {name}", np.sort(time), np.ones(len(time))))
    return streams


def readings(name: str, truth: np.ndarray, noise: float, rng: np.random.Generator) -> Stream:
    """One node's log of ten days, stamped by its own clock and put right: `truth` (T,) is held within a step.

    Readings are lost at random, twice as often where `noise` is 2; `noise` also multiplies their spread.
    """
    clock = Clock(offset=float(rng.uniform(-5, 5)), drift=float(rng.uniform(-50e-6, 50e-6)))
    time = axis(float(rng.uniform(0, 1 / RATES[name])), LAST, RATES[name])
    value = truth[np.minimum((time / STEP).astype(int), STEPS - 1)]
    value = value + noise * SPREAD[name] * rng.standard_normal(len(time))
    value = value if name == "temperature" else np.maximum(value, 0)
    kept = rng.random(len(time)) >= min(LOST * noise, 1.0)
    log = Stream(name, clock.stamp(time[kept]), value[kept])
    beacons = np.arange(DAYS) * 86400.0
    return log.on(Clock.between(clock.stamp(beacons), beacons))


def meter(truth: np.ndarray, noise: float, rng: np.random.Generator) -> Stream:
    """Ten days of the meter's minute means in kW, stamped with the minute's end; it has the hub's clock."""
    time = axis(60.0, LAST, 1 / 60)
    value = truth[((time - 60.0) / STEP).astype(int)]
    return Stream("meter", time, np.maximum(value + noise * METER * rng.standard_normal(len(time)), 0))
