"""Electric load of everything but the heat pump, in kW: what people do shows in the meter.

The fridge cycles and the standby stays; lamps burn where somebody is up and daylight does not do; cooking, television,
kettle and computers follow the rooms; washing has its days. Powers are usual rated values.
"""

from __future__ import annotations

import numpy as np

from .households import Households
from .names import BEDROOM, HOUR, KITCHEN, LIVING, PER_DAY, ROOMS, STEPS
from .rhythm import Rhythm

LAMP_KW, DARK_WM2 = 0.11, 60.0  # one room's lamps; outdoor irradiance below which they burn
SHORT, LONG = 6, 16  # steps that a cooking, and a washing, lasts at most


def occupied(rhythm: Rhythm) -> np.ndarray:
    """Whether somebody is up in a room, bool (H, rooms, T)."""
    return np.stack([(rhythm.up & (rhythm.room == r)).any(axis=1) for r in range(len(ROOMS))], axis=1)


def lamps(there: np.ndarray, irradiance: np.ndarray) -> np.ndarray:
    """Lit rooms, bool (H, rooms, T)."""
    return there & (irradiance < DARK_WM2)[:, None]


def load(homes: Households, rhythm: Rhythm, lit: np.ndarray, u: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Electric power in kW, (H, T); `u` (H, T, 3) and `phase` (H, 2) uniform numbers."""
    there = occupied(rhythm)
    steps = np.arange(STEPS)
    period = 8 + 5 * phase[:, :1]
    fridge = 0.11 * ((steps / period + phase[:, 1:]) % 1 < 0.4)
    meal = ((HOUR > 6.5) & (HOUR < 9)) | ((HOUR > 11.5) & (HOUR < 13.5)) | ((HOUR > 17.5) & (HOUR < 20))
    cooking = _lasting(there[:, KITCHEN] & meal & (u[..., 0] < 0.30), SHORT) * there[:, KITCHEN]
    kettle = there[:, KITCHEN] & (u[..., 1] < 0.12)
    television = there[:, LIVING] & (HOUR > 17) & ~rhythm.moves.all(axis=1)
    desk = ((rhythm.up & ((rhythm.room == BEDROOM) | (rhythm.room == LIVING))).sum(axis=1)) * 0.06
    awake = rhythm.up.any(axis=1)
    washing = _lasting(awake & (u[..., 2] < 0.9 / PER_DAY * homes.residents[:, None] / 2), LONG)
    used = 1.7 * cooking + 1.0 * kettle + 0.15 * television + desk + 0.9 * washing
    return homes.standby[:, None] + fridge + LAMP_KW * lit.sum(axis=1) + homes.appetite[:, None] * used


def _lasting(start: np.ndarray, steps: int) -> np.ndarray:
    """True for so many steps from every start on."""
    last = np.maximum.accumulate(np.where(start, np.arange(STEPS), -steps), axis=-1)
    return np.arange(STEPS) - last < steps
