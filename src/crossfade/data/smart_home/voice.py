"""Speech by source and filter (Fant 1960; Klatt 1980, JASA 67, 971).

    s = Σ_frames  F⁻¹[ V(f)·Π_k R(f; F_k, B_k)  +  N(f)·|R(f; F_n, B_n)| ]         overlap-add, Hann, 16 ms

V: a glottal pulse train (derivative of Rosenberg's flow, 1971, JASA 49, 583), N: white noise, both weighted by the
phone's amplitudes. R is Klatt's digital resonator (eq. 1 and 2): R(z) = A/(1 − B z⁻¹ − C z⁻²), C = −exp(−2π b/f_s),
B = 2 exp(−π b/f_s) cos(2π f/f_s), A = 1 − B − C. Formants move linearly from target to target (coarticulation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .phones import PHONES, Segment

RATE = 16000  # Hz
FRAME, HOP, BINS = 256, 128, 512
BANDWIDTHS = (60.0, 90.0, 140.0, 250.0)  # Hz, of F1 … F4
FOURTH = 3500.0  # Hz, F4 of a man
HELD = (0.3, 0.7)  # a target is held over this part of its segment
_TURN = np.exp(-2j * np.pi * np.arange(BINS // 2 + 1) / BINS).astype(np.complex64)  # z⁻¹ of every bin


@dataclass(frozen=True)
class Voice:
    """Who speaks: mean pitch in Hz, formants relative to a man's, tempo (1: as in the tables)."""

    pitch: float
    tract: float = 1.0
    tempo: float = 1.0


def resonator(frequency: np.ndarray, bandwidth: np.ndarray | float) -> np.ndarray:
    """Response of Klatt's resonator at the bins 0 … RATE/2: (frames,) Hz → complex64 (frames, BINS/2 + 1)."""
    f = np.asarray(frequency, np.float32)[:, None]
    b = np.broadcast_to(np.asarray(bandwidth, np.float32), f.shape[:1])[:, None]
    c = -np.exp(-2 * np.pi * b / RATE)
    b = 2 * np.exp(-np.pi * b / RATE) * np.cos(2 * np.pi * f / RATE)
    return (1 - b - c) / (1 - b * _TURN - c * _TURN**2)


def pulses(pitch: np.ndarray) -> np.ndarray:
    """Glottal excitation (T,) for a pitch contour (T,) in Hz: Rosenberg's pulse, differentiated, open for 60 %."""
    phase = (np.cumsum(pitch / RATE) % 1.0).astype(np.float32)
    rising, falling = 0.4, 0.2
    up = np.sin(np.pi * phase / rising) / rising * (phase < rising)
    down = -np.sin(np.pi / 2 * (phase - rising) / falling) / falling
    return (up + down * ((phase >= rising) & (phase < rising + falling))).astype(np.float32)


def tracks(segments: list[Segment], tract: float, tempo: float, frames: np.ndarray) -> tuple[np.ndarray, float]:
    """Targets at the frames' times (s): (7, frames) in the order of `Segment` from f1 on, and the end in s."""
    length = np.array([s.ms for s in segments]) / 1000 / tempo
    start = np.concatenate([[0.0], np.cumsum(length)])
    times = np.stack([start[:-1] + share * length for share in HELD], axis=1).ravel()
    value = np.repeat(np.array([s[1:] for s in segments]), 2, axis=0)
    value[:, :3] *= tract
    silent = (frames < 0) | (frames > start[-1])
    out = np.stack([np.interp(frames, times, column) for column in value.T])
    out[3:5, silent] = 0.0
    return out, float(start[-1])


def synthesise(
    segments: list[Segment], voice: Voice, samples: int, begin: float, rng: np.random.Generator
) -> np.ndarray:
    """A waveform (samples,) at RATE in which these segments are spoken from `begin` s on; RMS 0.1 while it lasts."""
    count = -(-samples // HOP) + 1
    frames = np.arange(count) * HOP / RATE - begin  # s, of the frames' middles
    (f1, f2, f3, voiced, noisy, centre, band), end = tracks(segments, voice.tract, voice.tempo, frames)
    total = (count + 1) * HOP
    time = np.arange(total) / RATE
    fall = 1.12 - 0.24 * np.clip((time - begin) / end, 0, 1)
    wobble = 1 + 0.02 * np.sin(2 * np.pi * (5.5 * time + rng.random()))
    source = pulses(voice.pitch * fall * wobble)
    hiss = rng.standard_normal(total, dtype=np.float32)
    window = np.hanning(FRAME + 1)[:-1].astype(np.float32)
    strided = np.lib.stride_tricks.sliding_window_view

    def spectra(signal: np.ndarray) -> np.ndarray:
        return np.fft.rfft(strided(signal, FRAME)[::HOP][:count] * window, BINS, axis=-1).astype(np.complex64)

    sounds = np.flatnonzero((voiced > 0) | (noisy > 0))
    fixed = [(f1, 0), (f2, 1), (f3, 2), (np.full(count, FOURTH * voice.tract), 3)]
    tube = np.float32(0.35) * voiced[sounds, None].astype(np.float32)
    for formant, k in fixed:
        tube = tube * resonator(formant[sounds], BANDWIDTHS[k])
    spectrum = spectra(source)[sounds] * tube
    spectrum += spectra(hiss)[sounds] * (
        np.abs(resonator(centre[sounds], band[sounds])) * noisy[sounds, None].astype(np.float32)
    )
    pieces = np.fft.irfft(spectrum, BINS, axis=-1).astype(np.float32)
    out = np.zeros(total + BINS, np.float32)
    for k, piece in zip(sounds.tolist(), pieces, strict=True):
        out[k * HOP : k * HOP + BINS] += piece
    out = out[HOP : HOP + samples]  # the first frame's middle is time 0
    lasts = slice(max(int(begin * RATE), 0), int((begin + end) * RATE))
    level = np.sqrt(np.mean(out[lasts] ** 2)) if out[lasts].size else 0.0
    return out * (0.1 / max(float(level), 1e-6))


def say(phones: list[str], voice: Voice, samples: int, rng: np.random.Generator) -> np.ndarray:
    """These phones, spoken somewhere in a clip of so many samples; quicker where they would not fit."""
    segments = [segment for phone in phones for segment in PHONES[phone]]
    lasts = sum(s.ms for s in segments) / 1000
    room = samples / RATE - 0.06
    tempo = max(voice.tempo * rng.uniform(0.95, 1.05), lasts / room)
    begin = 0.03 + rng.random() * (room - lasts / tempo)
    return synthesise(segments, Voice(voice.pitch, voice.tract, tempo), samples, begin, rng)
