"""Weather and light of a drive, and what they do to light on its way.

Light of 900 nm or in the visible is taken from a beam by exp(−β r), with the extinction coefficient β (1/m) of fog of
meteorological optical range V and of rain of rate R (mm/h):

    β = ln(20) / V + 0.01 R^0.6

(V is where a contrast falls to 5 %: Koschmieder's law, as in Hahner et al. 2021, arXiv:2108.05249, section 3; rain:
Goodin et al. 2019, doi:10.3390/electronics8010089, who write it as e^(−0.02 R^0.6 r) for the way there and back.)
To the radar's millimetre waves the heaviest of these rains takes little more than 1 dB over 40 m and back (ITU-R
P.838-3, 77 GHz), a tenth of what one detection differs from the next, and the dark nothing: it has no term for weather.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossfade.data.synthetic.draws import Uniforms

UNIFORMS = 7
CLEAR_RANGE = 10_000.0  # m: V on a clear day


@dataclass(frozen=True)
class Weather:
    """All (B,)."""

    rain: np.ndarray  # mm/h, 0: none
    visibility: np.ndarray  # V, m
    light: np.ndarray  # of the scene, 1: a bright day; below 0.1: night, with street lamps and head lamps

    @property
    def extinction(self) -> np.ndarray:
        """β, 1/m."""
        return np.log(20) / self.visibility + 0.01 * self.rain**0.6


def draw(u: Uniforms, rain: float, fog: float, night: float) -> Weather:
    """`rain`, `fog`, `night`: the shares of drives with each, independent of each other and of the road."""
    rate = 4 * (40 / 4) ** u.take()
    visibility = 25 * (120 / 25) ** u.take()
    dark, day = 0.015 * (0.06 / 0.015) ** u.take(), u.between(0.5, 1.0)
    return Weather(
        rain=np.where(u.take() < rain, rate, 0.0),
        visibility=np.where(u.take() < fog, visibility, CLEAR_RANGE),
        light=np.where(u.take() < night, dark, day),
    )
