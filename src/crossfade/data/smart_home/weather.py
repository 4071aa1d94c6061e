"""Weather outdoors, and what was forecast of it.

    T(t) = season + fronts(t) + (1 − ½ cloud) · A · cos 2π(h − 15)/24          °C
    I(t) = 1000 · sin(elevation)₊ · 0.75^(1/sin) · (1 − 0.75 cloud^3.4)        W/m², on a horizontal plane

Fronts are a first-order autoregressive process with an hour's step (time constant 36 h, sd 5.5 K), so that tomorrow
is not today. Elevation by the usual formula at 50° north (Duffie and Beckman, Solar Engineering of Thermal Processes,
eq. 1.6.1 and 1.6.5); attenuation by cloud after Kasten and Czeplak 1980 (Solar Energy 24, 177, eq. 6).
"""

from __future__ import annotations

import numpy as np

from .households import Households
from .names import DAYS, HOUR, PER_HOUR

LATITUDE = np.deg2rad(50.0)
FRONT_SD, FRONT_HOURS = 5.5, 36.0  # K, h
HOURS = 24 * DAYS
ERROR_NOW, ERROR_DAY = 0.4, 1.3  # K, sd of the forecast's error at once and a day ahead


def autoregressive(noise: np.ndarray, hours: float) -> np.ndarray:
    """Stationary first-order process of unit variance and this time constant from white noise (H, hours)."""
    keep = np.exp(-1.0 / hours)
    fresh = np.sqrt(1 - keep * keep)
    out = np.empty_like(noise)
    out[:, 0] = noise[:, 0]
    for k in range(1, noise.shape[1]):
        out[:, k] = keep * out[:, k - 1] + fresh * noise[:, k]
    return out


def sun_height(day_of_year: np.ndarray, hour: np.ndarray) -> np.ndarray:
    """Sine of the sun's elevation, at least 0; solar time in h."""
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (284 + day_of_year) / 365)
    angle = np.deg2rad(15.0) * (hour - 12.0)
    up = np.sin(LATITUDE) * np.sin(declination) + np.cos(LATITUDE) * np.cos(declination) * np.cos(angle)
    return np.maximum(up, 0.0)


def simulate(homes: Households, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outdoor temperature in °C and irradiance in W/m², (H, T) each, from normal numbers (H, 2, HOURS)."""
    day = homes.day_of_year[:, None] + np.arange(HOURS * PER_HOUR)[None] / (24 * PER_HOUR)
    season = 9.5 - 9.0 * np.cos(2 * np.pi * (day - 20) / 365)
    fronts = _finer(FRONT_SD * autoregressive(noise[:, 0], FRONT_HOURS))
    cloud = _finer(1 / (1 + np.exp(-1.5 * autoregressive(noise[:, 1], 9.0) - 0.5)))
    temperature = season + fronts + (1 - 0.5 * cloud) * 4.0 * np.cos(2 * np.pi * (HOUR - 15) / 24)
    height = sun_height(day, HOUR)
    clear = 1000.0 * height * 0.75 ** (1 / np.maximum(height, 0.02))
    return temperature, clear * (1 - 0.75 * cloud**3.4)


def _finer(hourly: np.ndarray) -> np.ndarray:
    """(H, hours) → (H, steps), linear from hour to hour."""
    after = np.concatenate([hourly[:, 1:], hourly[:, -1:]], axis=1)
    share = np.arange(PER_HOUR) / PER_HOUR
    return (hourly[:, :, None] * (1 - share) + after[:, :, None] * share).reshape(len(hourly), -1)


def forecast(truth: np.ndarray, noise: np.ndarray, scale: float) -> np.ndarray:
    """The coming hours (N, L) as they were forecast: with an error that grows with the lead, times `scale`."""
    lead = np.arange(1, truth.shape[1] + 1) / 24
    sd = np.sqrt(ERROR_NOW**2 + (ERROR_DAY**2 - ERROR_NOW**2) * lead)
    return truth + scale * sd * autoregressive(noise, 8.0)
