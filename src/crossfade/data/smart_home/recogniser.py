"""The transcript: what an error-prone recogniser made of the same clip.

    p(word is wrong) = noise · (0.07 + 0.5 / (1 + exp((SNR − 3 dB + loss)/3)))

grows as the speech sinks into the noise; `loss` is what the way from the speaker's room takes off (`acoustics`). A
wrong word is one that sounds alike (70 %), is left out (20 %), or a word is put in after it (10 %). Where nobody gives
a command there is `NOTHING`, or now and then a word that was never said.
"""

from __future__ import annotations

import numpy as np

from .acoustics import PATHS
from .commands import words
from .moments import Moments
from .names import ROOMS

NOTHING = "silence"
ALIKE: dict[str, tuple[str, ...]] = {
    "turn": ("torn", "term", "tune"), "switch": ("which", "swift", "witch"), "set": ("said", "sat", "check"),
    "check": ("jack", "set", "chat"), "on": ("off", "an", "gone"), "off": ("on", "of", "often"), "the": ("a", "of"),
    "to": ("two", "do"), "please": ("peas", "leaves"), "light": ("like", "right", "blinds"),
    "heating": ("eating", "hitting", "reading"), "blinds": ("blind", "lines", "light"),
    "radio": ("ready", "ratio", "really"), "living": ("leaving", "lifting"), "room": ("rum", "broom"),
    "kitchen": ("chicken", "kitten", "bedroom"), "bedroom": ("bathroom", "red room", "bed"),
    "bathroom": ("bedroom", "bath room", "mushroom"), "low": ("no", "full", "load"), "half": ("have", "laugh", "full"),
    "full": ("fool", "low", "fall"),
}  # fmt: skip
FILLERS = ("uh", "and", "a", "so", "the", "it")


def error_rate(snr: np.ndarray, room: int, noise: float) -> np.ndarray:
    """Probability that a word is misheard, for speech from this room; at most 0.9."""
    path = PATHS[ROOMS[room]]
    heard = snr + path.level + min(path.ratio, 0.0)
    return np.minimum(noise * (0.07 + 0.5 / (1 + np.exp((heard - 3) / 3))), 0.9)


def mishear(said: list[str], rate: float, rng: np.random.Generator) -> list[str]:
    """These words with errors at this rate."""
    out: list[str] = []
    for word in said:
        wrong, how, which = rng.random(3)
        if wrong >= rate:
            out.append(word)
        elif how < 0.7:
            near = ALIKE[word]
            out.append(near[int(which * len(near))])
        elif how >= 0.9:
            out += [word, FILLERS[int(which * len(FILLERS))]]
    return out


def transcribe(moments: Moments, i: int, noise: float, rng: np.random.Generator) -> str:
    """The text of sample i; never empty."""
    said = words(moments.commands, i)
    if said:
        rate = float(error_rate(moments.snr[i], int(moments.place[i]), noise))
        return " ".join(mishear(said, rate, rng)) or NOTHING
    invented = rng.random() < min(0.12 * noise, 1.0)
    count = int(rng.integers(1, 4))
    return " ".join(FILLERS[int(k)] for k in rng.integers(len(FILLERS), size=count)) if invented else NOTHING
