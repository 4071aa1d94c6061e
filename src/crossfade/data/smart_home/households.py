"""Who lives in a house, and the house's constants: all that does not change from day to day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PEOPLE = 4  # at most
WORKER, HOME_OFFICE, RETIRED = range(3)
COUNT = 64  # uniform numbers that a household takes, some of them in reserve
# Wh/(m²K) of floor: EN ISO 13790, table 12, very light, light and medium (80, 110, 165 kJ/(m²K)); timber to brick
HEAVINESS = np.array([80.0, 110.0, 165.0]) / 3.6


@dataclass(frozen=True)
class Households:
    """H households; arrays are (H,), of residents (H, P) with P = `PEOPLE`, the absent ones never at home."""

    residents: np.ndarray  # 1 … 4
    pet: np.ndarray  # bool
    job: np.ndarray  # (H, P): WORKER | HOME_OFFICE | RETIRED
    wake: np.ndarray  # (H, P) h, usual; so are bed, leave and back
    bed: np.ndarray
    leave: np.ndarray
    back: np.ndarray
    weekday: np.ndarray  # of day 0; 0 = Monday
    day_of_year: np.ndarray  # of day 0
    resistance: np.ndarray  # K/kW, between indoor and outdoor air
    capacity: np.ndarray  # kWh/K
    heater: np.ndarray  # kW of heat, at most
    set_point: np.ndarray  # °C
    aperture: np.ndarray  # m² of ideal window: solar gain per irradiance
    volume: np.ndarray  # m³
    air_change: np.ndarray  # 1/h
    standby: np.ndarray  # kW
    appetite: np.ndarray  # factor on the appliances' use
    daylight: np.ndarray  # lux at the living room's sensor per W/m² outdoors
    pitch: np.ndarray  # (H, P) Hz, of the voices
    tract: np.ndarray  # (H, P), formants relative to an adult man's


def draw(uniforms: np.ndarray) -> Households:
    """Households from uniform numbers (H, `COUNT`)."""
    columns = iter(uniforms.T)

    def between(low: float, high: float) -> np.ndarray:
        return low + (high - low) * next(columns)

    def each(low: float, high: float) -> np.ndarray:
        return np.stack([between(low, high) for _ in range(PEOPLE)], axis=1)

    residents = 1 + np.searchsorted([0.4, 0.75, 0.9], next(columns), side="right")
    pet = next(columns) < 0.6
    job = np.searchsorted([0.75, 0.88], each(0, 1), side="right")
    common_wake = between(5.8, 7.8)[:, None]  # a household gets up together, more or less
    wake = common_wake + each(-0.4, 0.6) + np.where(job == RETIRED, 0.5, 0.0)
    bed = between(22.0, 23.4)[:, None] + each(-0.4, 0.4)
    leave = wake + each(0.8, 1.6)
    back = leave + each(7.5, 10.0)
    area = between(60.0, 180.0)  # m² of floor
    resistance = 1000 / (between(1.0, 2.6) * area)  # W/(m²K) of floor lost through envelope and air
    heavy = np.searchsorted([0.4, 0.75], next(columns), side="right")
    woman = each(0, 1) < 0.5
    return Households(
        residents=residents,
        pet=pet,
        job=job,
        wake=wake,
        bed=bed,
        leave=leave,
        back=back,
        weekday=np.floor(between(0, 7)).astype(int),
        day_of_year=np.floor(between(-75, 90)).astype(int) % 365,  # the heating season: mid-October to March
        resistance=resistance,
        capacity=HEAVINESS[heavy] * area / 1000,
        heater=36.0 / resistance + 1.0,  # holds 36 K of difference, with 1 kW to spare
        set_point=between(19.5, 22.0),
        aperture=between(1.0, 3.5),
        volume=between(180, 320),
        air_change=between(0.3, 0.6),
        standby=between(0.05, 0.35),
        appetite=between(0.5, 2.0),
        daylight=between(0.7, 1.8),
        pitch=np.where(woman, 205.0, 118.0) * each(0.85, 1.15),
        tract=np.where(woman, 1.16, 1.0) * between(0.97, 1.03)[:, None],
    )
