"""Sounds of a house that are no speech: decaying modes, thuds, bursts (cf. Gaver 1993, Ecological Psychology 5, 285).

Each takes the number of samples and a generator and gives a waveform at `voice.RATE`, about as loud as speech.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.signal

from .phones import PHONES
from .voice import RATE, Voice, say


def place(samples: int, starts: np.ndarray | Sequence[float], make: Callable[[], np.ndarray]) -> np.ndarray:
    """One `make()` at each start in s, cut at the end of the clip."""
    out = np.zeros(samples, np.float32)
    for start in starts:
        first = int(start * RATE)
        piece = make()[: max(samples - first, 0)]
        out[first : first + len(piece)] += piece
    return out


def modes(frequencies: np.ndarray, decays: np.ndarray, levels: np.ndarray, seconds: float) -> np.ndarray:
    """Σ_k a_k exp(−t/τ_k) sin 2πf_k t, what a struck body radiates."""
    time = np.arange(int(seconds * RATE), dtype=np.float32)[:, None] / RATE
    waves = np.exp(-time / decays.astype(np.float32)) * np.sin(2 * np.pi * frequencies.astype(np.float32) * time)
    return (waves @ levels.astype(np.float32)).astype(np.float32)


def loud(wave: np.ndarray, rms: float = 0.1) -> np.ndarray:
    """Scaled so that the loudest 100 ms have this RMS."""
    energy = np.convolve(wave**2, np.full(RATE // 200, 200 / RATE), mode="valid")[:: RATE // 200]
    frames = max(1, min(20, len(energy)))
    peak = np.convolve(energy, np.full(frames, 1 / frames), mode="valid").max()
    return (wave * (rms / np.sqrt(max(peak, 1e-12)))).astype(np.float32)


def glass(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A pane breaks: a blow, then splinters that ring between 2.5 and 7.5 kHz as they fall."""
    start = rng.uniform(0.1, 0.7)

    def splinter() -> np.ndarray:
        count = 4
        return modes(rng.uniform(2500, 7500, count), rng.uniform(0.01, 0.06, count), rng.uniform(0.2, 1, count), 0.2)

    falls = start + rng.gamma(1.5, 0.12, size=22)
    blow = rng.standard_normal(RATE // 25) * np.exp(-np.arange(RATE // 25) / (0.006 * RATE))
    return loud(place(samples, falls, splinter) + 2 * place(samples, [start], lambda: blow.astype(np.float32)), 0.16)


def dishes(samples: int, rng: np.random.Generator) -> np.ndarray:
    """China and cutlery: some clinks, lower and longer than splinters."""

    def clink() -> np.ndarray:
        count = 5
        return modes(rng.uniform(900, 4500, count), rng.uniform(0.02, 0.09, count), rng.uniform(0.2, 1, count), 0.3)

    return loud(place(samples, rng.uniform(0.05, 1.4, rng.integers(2, 7)), clink))


def _thud(low: float, high: float, decay: float, rng: np.random.Generator) -> np.ndarray:
    body = modes(rng.uniform(low, high, 3), np.full(3, decay), rng.uniform(0.4, 1, 3), 6 * decay)
    scuff = rng.standard_normal(len(body)) * np.exp(-np.arange(len(body)) / (0.3 * decay * RATE))
    return (body + 0.15 * scuff).astype(np.float32)


def steps(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A person walks: two thuds a second."""
    starts = np.arange(rng.uniform(0.02, 0.3), samples / RATE, rng.uniform(0.42, 0.6))
    return loud(
        place(samples, starts + rng.normal(0, 0.01, len(starts)).clip(-0.02), lambda: _thud(60, 160, 0.04, rng)), 0.05
    )


def patter(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A pet walks: light, quick, with claws."""
    starts = np.arange(rng.uniform(0.02, 0.4), samples / RATE, rng.uniform(0.13, 0.2))
    return loud(place(samples, starts, lambda: _thud(400, 1400, 0.008, rng)), 0.03)


def bark(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A dog barks, or a cat miaows: a falling or rising and falling pitch through one wide resonance."""
    cat = rng.random() < 0.4
    seconds = rng.uniform(0.45, 0.7) if cat else rng.uniform(0.12, 0.2)
    shape = np.linspace(0, 1, int(seconds * RATE))
    pitch = 600 + 250 * np.sin(np.pi * shape) if cat else rng.uniform(300, 520) * (1.2 - 0.5 * shape)
    wave = scipy.signal.sawtooth(2 * np.pi * np.cumsum(pitch / RATE)) + 0.3 * rng.standard_normal(len(shape))
    b, a = scipy.signal.butter(2, [500, 2200] if cat else [350, 1600], "bandpass", fs=RATE)
    call = (scipy.signal.lfilter(b, a, wave) * np.sin(np.pi * shape) ** 0.5).astype(np.float32)
    starts = [rng.uniform(0.05, 0.6)] if cat else rng.uniform(0.05, 0.3) + 0.4 * np.arange(rng.integers(1, 4))
    return loud(place(samples, starts, lambda: call), 0.12)


def rummage(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Drawers and cupboards: rubbing noise and dull blows."""
    envelope = np.interp(np.arange(samples), np.linspace(0, samples, 12), rng.random(12) ** 2)
    b, a = scipy.signal.butter(1, [200, 1500], "bandpass", fs=RATE)
    rub = scipy.signal.lfilter(b, a, rng.standard_normal(samples)) * envelope
    blows = place(samples, rng.uniform(0.05, 1.3, 3), lambda: _thud(90, 300, 0.03, rng))
    return loud((0.4 * rub + blows).astype(np.float32), 0.06)


def car(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A car passes outside: noise below 400 Hz that swells."""
    b, a = scipy.signal.butter(2, 400, fs=RATE)
    time = np.arange(samples) / RATE
    swell = np.exp(-(((time - rng.uniform(0.3, 1.3)) / 0.6) ** 2))
    return loud((scipy.signal.lfilter(b, a, rng.standard_normal(samples)) * swell).astype(np.float32), 0.04)


def rain(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Rain on the panes: many small high clicks."""
    clicks = rng.standard_normal(samples) * (rng.random(samples) < 0.02)
    b, a = scipy.signal.butter(1, [1500, 6500], "bandpass", fs=RATE)
    return loud(scipy.signal.lfilter(b, a, clicks).astype(np.float32), 0.03)


def slam(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A door falls shut next door."""
    return loud(place(samples, [rng.uniform(0.1, 1.2)], lambda: _thud(50, 250, 0.07, rng)), 0.08)


def television(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Speech that says nothing to the house: phones in random order."""
    names = list(PHONES)
    said = [names[k] for k in rng.integers(len(names), size=15)]
    voice = Voice(float(rng.uniform(95, 230)), float(rng.uniform(0.95, 1.2)))
    return 0.5 * say(said, voice, samples, rng)


def silence(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Nothing but what the background is."""
    return np.zeros(samples, np.float32)
