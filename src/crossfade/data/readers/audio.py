"""Audio: WAV, FLAC and OGG through libsndfile → float32 (T,), mono, at the modality's rate."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from crossfade.data.readers.faults import Fault, finite, numeric, optional_package, reason

EXTENSIONS = (".wav", ".flac", ".ogg")
STREAMED = (0, 0xFFFFFFFF)  # RIFF sizes that a writer leaves when it does not know the length


def read_audio(path: Path, rate: float) -> np.ndarray:
    """A sound file as float32 (T,) in [−1, 1] at `rate` Hz: the mean of its channels, polyphase-resampled.

    Raises Fault where it is corrupt, truncated, empty, or holds NaN or inf.
    """
    if path.suffix.lower() not in EXTENSIONS:
        raise Fault(f"unknown audio extension {path.suffix!r}; readable: {', '.join(EXTENSIONS)}")
    soundfile = optional_package("soundfile", path)
    try:
        with soundfile.SoundFile(path) as file:
            expected, stored = file.frames, file.samplerate
            sound = file.read(dtype="float32", always_2d=True)
    except Exception as error:  # RuntimeErrors, wrapped differently from release to release
        raise Fault(f"not readable as sound: {reason(error)}") from error
    if len(sound) != expected:
        raise Fault(f"truncated: {len(sound)} of {expected} samples")
    if path.suffix.lower() == ".wav":
        _check_riff(path)
    mono = finite(numeric(sound.mean(axis=1, dtype=np.float64), "the sound"), "the sound")
    if stored == rate:
        return mono
    ratio = Fraction(rate).limit_denominator(1000) / stored
    return resample_poly(mono, ratio.numerator, ratio.denominator).astype(np.float32)


def _check_riff(path: Path) -> None:
    """Fault where the header promises more bytes than the file has, which libsndfile passes over."""
    with path.open("rb") as file:
        tag, promised = struct.unpack("<4sI", file.read(8))
    have = path.stat().st_size - 8
    if tag == b"RIFF" and promised not in STREAMED and promised > have + 1:  # + 1: a pad byte that some omit
        raise Fault(f"truncated: {have} of {promised} bytes")
