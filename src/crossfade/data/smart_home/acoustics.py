"""From a room to the microphone in the living room: level, walls, reverberation, noise.

    h(t) = δ(t) + g·n(t)·10^(−3 t/T60),   n white noise, g so that the tail carries 10^(−DRR/10) of the direct energy

exponentially decaying noise, as in Moorer 1979 (Computer Music Journal 3(2), 13); −60 dB after T60 s. Through a door
the sound is weaker, duller and more reverberant.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.signal

from .names import ROOMS
from .voice import RATE


class Path(NamedTuple):
    """From a room to the microphone: level in dB, T60 in s, direct-to-reverberant ratio in dB, cutoff."""

    level: float
    t60: float
    ratio: float
    cutoff: float  # Hz, of the one-pole low-pass that doors and corners make


PATHS: dict[str, Path] = {
    "living_room": Path(0, 0.35, 8, 8000),
    "kitchen": Path(-5, 0.55, 2, 4000),
    "bedroom": Path(-9, 0.25, 1, 2200),
    "bathroom": Path(-8, 1.0, -5, 3000),
    "hall": Path(-4, 0.7, -2, 5000),
}


def impulse_response(path: Path, rng: np.random.Generator) -> np.ndarray:
    """h at RATE until the tail has fallen by 60 dB, (t60·RATE,); direct sound 1 at sample 0."""
    length = int(path.t60 * RATE)
    tail = rng.standard_normal(length, dtype=np.float32) * 10 ** (-3 * np.arange(length, dtype=np.float32) / length)
    tail[0] = 0.0
    tail *= np.sqrt(10 ** (-path.ratio / 10) / np.sum(tail**2))
    tail[0] = 1.0
    return tail


def through(wave: np.ndarray, room: int, rng: np.random.Generator) -> np.ndarray:
    """What the microphone hears of a sound made in this room, cut to the clip."""
    path = PATHS[ROOMS[room]]
    response = impulse_response(path, rng)
    size = scipy.fft.next_fast_len(len(wave) + len(response) - 1, real=True)
    heard = scipy.fft.irfft(scipy.fft.rfft(wave, size) * scipy.fft.rfft(response, size), size)[: len(wave)]
    if path.cutoff < RATE / 2:
        keep = np.exp(-2 * np.pi * path.cutoff / RATE)
        heard = scipy.signal.lfilter([1 - keep], [1, -keep], heard)
    return (heard * 10 ** (path.level / 20)).astype(np.float32)


def background(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of a house, RMS 1: falling by 3 dB per octave, with the mains' hum of some appliance."""
    frequency = scipy.fft.rfftfreq(samples, 1 / RATE).astype(np.float32)
    parts = rng.standard_normal((2, len(frequency)), dtype=np.float32)
    pink = scipy.fft.irfft((parts[0] + 1j * parts[1]) / np.sqrt(np.maximum(frequency, 60.0)), samples)
    time = np.arange(samples, dtype=np.float32) / RATE
    order = np.arange(1, 4, dtype=np.float32)[:, None]
    hum = (np.sin(2 * np.pi * (50 * order * time + rng.random((3, 1), dtype=np.float32))) / order).sum(axis=0)
    mix = pink / pink.std() + rng.uniform(0, 0.6) * hum
    return (mix / mix.std()).astype(np.float32)
