"""A house simulated once, in steps of five minutes for ten days: what every modality is rendered from.

Weather and rhythm come first; lamps and appliances follow the people, the temperature follows weather, people and
appliances, the heat pump follows the temperature, the air follows the people. Household i depends on (seed, i) alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from crossfade.data.synthetic.draws import generators
from crossfade.data.synthetic.rendering import in_blocks

from . import air, appliances, households, rhythm, thermal, weather
from .households import PEOPLE, Households
from .names import BATHROOM, DAYS, HOUR, KITCHEN, LIVING, PER_HOUR, STEPS, STREAMS
from .rhythm import Rhythm

HOURS = 1 / PER_HOUR  # of a step
PERSON_KW = 0.08  # heat of a person at home
ELECTRIC_HEAT = 0.8  # share of the appliances' power that stays indoors as heat


@dataclass(frozen=True)
class World:
    """H simulated households; arrays (H, T), T steps of five minutes from midnight of day 0."""

    homes: Households
    rhythm: Rhythm
    outdoor: np.ndarray  # °C
    irradiance: np.ndarray  # W/m²
    indoor: np.ndarray  # °C
    heat: np.ndarray  # kW from the heat pump
    gains: np.ndarray  # kW from people, sun and appliances
    electric: np.ndarray  # kW, whole house
    co2: np.ndarray  # ppm
    humidity: np.ndarray  # %
    lit: np.ndarray  # (H, rooms, T) bool: lamps burn
    lux: np.ndarray  # lux at the living room's sensor

    @property
    def occupied(self) -> np.ndarray:
        """Somebody is at home, bool (H, T)."""
        return np.asarray(self.rhythm.home.any(axis=1))

    @property
    def awake(self) -> np.ndarray:
        """Somebody is at home and up, bool (H, T)."""
        return np.asarray(self.rhythm.up.any(axis=1))


def coefficient_of_performance(outdoor: np.ndarray) -> np.ndarray:
    """Heat per electricity of an air-source heat pump: linear in the outdoor temperature, 1.8 to 5."""
    return np.clip(3.0 + 0.07 * (outdoor - 2.0), 1.8, 5.0)


def simulate(seed: int, count: int, universe: int = 0) -> World:
    """The first `count` households of this seed; `universe` shifts their streams of random numbers."""
    stream = universe + STREAMS["house"]
    blocks = in_blocks(count, lambda indices: _simulate(generators(seed, indices, stream)))
    return _join(blocks, count)


def _simulate(rngs: list[np.random.Generator]) -> World:
    def uniform(*shape: int) -> np.ndarray:
        return np.stack([rng.random(shape, dtype=np.float32) for rng in rngs])

    homes = households.draw(np.stack([rng.random(households.COUNT) for rng in rngs]))
    outdoor, irradiance = weather.simulate(homes, np.stack([rng.standard_normal((2, weather.HOURS)) for rng in rngs]))
    life = rhythm.simulate(
        homes, uniform(PEOPLE, DAYS, rhythm.DAILY), uniform(DAYS, 2), uniform(PEOPLE, STEPS, 3), uniform(STEPS, 3)
    )
    there = appliances.occupied(life)
    lit = appliances.lamps(there, irradiance)
    used = appliances.load(homes, life, lit, uniform(STEPS, 3), uniform(2))
    people = life.home.sum(axis=1)
    gains = PERSON_KW * people + ELECTRIC_HEAT * used + homes.aperture[:, None] * irradiance / 1000
    set_point = np.repeat(homes.set_point[:, None], STEPS, axis=1)
    indoor, heat = thermal.hold(set_point, outdoor, gains, homes.resistance, homes.capacity, homes.heater, HOURS)
    co2 = air.balance(
        air.EXHALED * 1e6 * people / homes.volume[:, None], np.full_like(outdoor, air.OUTDOOR_PPM),
        homes.air_change, HOURS,
    )  # fmt: skip
    shower = there[:, BATHROOM] & (HOUR > 6) & (HOUR < 9)
    vapour = air.balance(
        (50.0 * people + 350.0 * there[:, KITCHEN] + 900.0 * shower) / homes.volume[:, None],
        0.75 * air.saturation(outdoor), homes.air_change, HOURS,
    )  # fmt: skip
    return World(
        homes=homes,
        rhythm=life,
        outdoor=outdoor,
        irradiance=irradiance,
        indoor=indoor,
        heat=heat,
        gains=gains,
        electric=used + heat / coefficient_of_performance(outdoor),
        co2=co2,
        humidity=np.clip(100 * vapour / air.saturation(indoor), 0, 100),
        lit=lit,
        lux=homes.daylight[:, None] * irradiance + air.LAMP_LUX * lit[:, LIVING],
    )


def _join(blocks: list, count: int):
    """One dataclass of arrays from several, cut at `count`."""
    kind = type(blocks[0])
    values = {}
    for field in fields(kind):
        parts = [getattr(block, field.name) for block in blocks]
        values[field.name] = np.concatenate(parts)[:count] if isinstance(parts[0], np.ndarray) else _join(parts, count)
    return kind(**values)
