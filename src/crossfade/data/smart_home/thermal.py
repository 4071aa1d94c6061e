"""Temperature of the house: one resistance, one capacity, a heat pump that holds the set-point.

    C dT/dt = (T_out − T)/R + P + G      T in °C, R in K/kW, C in kWh/K, heat P and gains G in kW

With T_out, P and G constant over a step Δt its solution is exact, whatever the step:

    T(t + Δt) = T∞ + (T − T∞)·exp(−Δt/RC),      T∞ = T_out + R (P + G)

(Bacher and Madsen 2011, Energy and Buildings 43, 1511, model Ti, eq. 1 and 2.)
"""

from __future__ import annotations

import numpy as np


def step(
    temperature: np.ndarray,
    outdoor: np.ndarray,
    heat: np.ndarray,
    resistance: np.ndarray,
    capacity: np.ndarray,
    hours: float,
) -> np.ndarray:
    """Indoor temperature after `hours`; `heat` in kW is all that warms the house (P + G)."""
    final = outdoor + resistance * heat
    return final + (temperature - final) * np.exp(-hours / (resistance * capacity))


def mean_over_step(
    temperature: np.ndarray,
    outdoor: np.ndarray,
    heat: np.ndarray,
    resistance: np.ndarray,
    capacity: np.ndarray,
    hours: float,
) -> np.ndarray:
    """Mean indoor temperature during such a step: what the loss (T̄ − T_out)/R of its energy balance needs."""
    final = outdoor + resistance * heat
    share = hours / (resistance * capacity)
    return final + (temperature - final) * (1 - np.exp(-share)) / share


def heat_to_reach(
    wanted: np.ndarray,
    temperature: np.ndarray,
    outdoor: np.ndarray,
    gains: np.ndarray,
    resistance: np.ndarray,
    capacity: np.ndarray,
    hours: float,
) -> np.ndarray:
    """The constant P in kW that brings the house to `wanted` in `hours`; negative: it would have to be cooled."""
    keep = np.exp(-hours / (resistance * capacity))
    final = (wanted - temperature * keep) / (1 - keep)
    return (final - outdoor) / resistance - gains


def hold(
    set_point: np.ndarray,
    outdoor: np.ndarray,
    gains: np.ndarray,
    resistance: np.ndarray,
    capacity: np.ndarray,
    heater: np.ndarray,
    hours: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Temperature at the start of every step and heat during it, (H, T) each, under a thermostat.

    The heat pump modulates between 0 and `heater` kW. `set_point`, `outdoor`, `gains` (H, T), the house's constants
    (H,). The house starts at its first set-point.
    """
    temperature, heat = np.empty_like(outdoor), np.empty_like(outdoor)
    now = set_point[:, 0].copy()
    for k in range(outdoor.shape[1]):
        temperature[:, k] = now
        need = heat_to_reach(set_point[:, k], now, outdoor[:, k], gains[:, k], resistance, capacity, hours)
        heat[:, k] = np.clip(need, 0.0, heater)
        now = step(now, outdoor[:, k], heat[:, k] + gains[:, k], resistance, capacity, hours)
    return temperature, heat
