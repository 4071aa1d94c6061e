"""Air and light indoors: carbon dioxide, humidity, illuminance.

    V dc/dt = S n − V λ (c − c_out)      c in ppm, S = 18 L/h CO₂ per person (ASHRAE 62.1, appendix D), λ in 1/h

stepped exactly like the house's temperature. Vapour follows the same balance (50 g/h per person at home, cooking and
showers on top); relative humidity by Magnus' formula. The sensor of the living room sees daylight and its own lamps.
"""

from __future__ import annotations

import numpy as np

OUTDOOR_PPM = 420.0
EXHALED = 0.018  # m³/h CO₂ per person
LAMP_LUX = 130.0


def balance(source: np.ndarray, outside: np.ndarray, air_change: np.ndarray, hours: float) -> np.ndarray:
    """Concentration (H, T) at the start of every step: dc/dt = source − air_change·(c − outside), exact steps.

    It starts in equilibrium. `source` and `outside` (H, T), `air_change` (H,) in 1/h.
    """
    keep = np.exp(-air_change * hours)
    final = outside + source / air_change[:, None]
    out = np.empty_like(final)
    now = final[:, 0]
    for k in range(final.shape[1]):
        out[:, k] = now
        now = final[:, k] + (now - final[:, k]) * keep
    return out


def saturation(temperature: np.ndarray) -> np.ndarray:
    """Water in saturated air in g/m³, by Magnus' formula (Alduchov and Eskridge 1996, eq. 21, hPa → g/m³)."""
    pressure = 6.1094 * np.exp(17.625 * temperature / (temperature + 243.04))
    return 216.7 * pressure / (temperature + 273.15)
