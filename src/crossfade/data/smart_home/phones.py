"""Phones as formant synthesis sees them, and the words made of them.

Vowels: the first three formants of men, Peterson and Barney 1952 (JASA 24, 175, table II). Consonants: loci and noise
bands after Klatt 1980 (JASA 67, 971, tables II and III), rounded. Women's are scaled by the tract's length (`tract`).
"""

from __future__ import annotations

from typing import NamedTuple


class Segment(NamedTuple):
    """A stretch with one target: duration in ms, formants in Hz, amplitudes of voice and noise, the noise's band."""

    ms: float
    f1: float
    f2: float
    f3: float
    voice: float = 1.0
    noise: float = 0.0
    centre: float = 4000.0  # Hz, of the frication
    band: float = 2000.0


VOWELS: dict[str, tuple[float, float, float]] = {
    "IY": (270, 2290, 3010), "IH": (390, 1990, 2550), "EH": (530, 1840, 2480), "AE": (660, 1720, 2410),
    "AA": (730, 1090, 2440), "AO": (570, 840, 2410), "UH": (440, 1020, 2240), "UW": (300, 870, 2240),
    "AH": (640, 1190, 2390), "ER": (490, 1350, 1690),
}  # fmt: skip
GLIDES = {"AY": ("AA", "IH"), "EY": ("EH", "IY"), "OW": ("AO", "UH")}  # diphthongs: from, to


def _stop(f2: float, f3: float, centre: float, voiced: float, hiss: float) -> tuple[Segment, ...]:
    closure = Segment(45, 200, f2, f3, 0.12 * voiced, 0.0, centre)
    return closure, Segment(18 if voiced else 32, 300, f2, f3, 0.3 * voiced, hiss, centre, 1500)


PHONES: dict[str, tuple[Segment, ...]] = {
    **{name: (Segment(95, *formants),) for name, formants in VOWELS.items()},
    **{name: (Segment(80, *VOWELS[a]), Segment(70, *VOWELS[b])) for name, (a, b) in GLIDES.items()},
    "M": (Segment(65, 250, 1000, 2200, 0.45),),
    "N": (Segment(60, 250, 1500, 2550, 0.45),),
    "NG": (Segment(65, 250, 2100, 2700, 0.45),),
    "L": (Segment(60, 330, 1050, 2880, 0.6),),
    "R": (Segment(60, 330, 1060, 1380, 0.6),),
    "W": (Segment(60, 290, 610, 2150, 0.6),),
    "S": (Segment(95, 320, 1390, 2530, 0.0, 0.5, 5600, 1800),),
    "SH": (Segment(85, 300, 1840, 2750, 0.0, 0.55, 2900, 1200),),
    "F": (Segment(80, 340, 1100, 2080, 0.0, 0.16, 6500, 5000),),
    "TH": (Segment(75, 320, 1290, 2540, 0.0, 0.13, 6000, 4500),),
    "V": (Segment(55, 220, 1100, 2080, 0.35, 0.08, 6500, 5000),),
    "DH": (Segment(40, 270, 1290, 2540, 0.4, 0.06, 6000, 4500),),
    "Z": (Segment(75, 240, 1390, 2530, 0.25, 0.3, 5600, 1800),),
    "HH": (Segment(55, 500, 1500, 2500, 0.05, 0.18, 1800, 3000),),
    "P": _stop(900, 2150, 1000, 0, 0.25),
    "B": _stop(900, 2150, 1000, 1, 0.15),
    "T": _stop(1600, 2600, 4200, 0, 0.45),
    "D": _stop(1600, 2600, 4200, 1, 0.25),
    "K": _stop(1990, 2850, 2100, 0, 0.35),
}

WORDS: dict[str, str] = {
    "turn": "T ER N", "switch": "S W IH T SH", "set": "S EH T", "check": "T SH EH K", "on": "AA N", "off": "AO F",
    "the": "DH AH", "to": "T UW", "please": "P L IY Z", "light": "L AY T", "heating": "HH IY T IH NG",
    "blinds": "B L AY N D Z", "radio": "R EY D IY OW", "living": "L IH V IH NG", "room": "R UW M",
    "kitchen": "K IH T SH AH N", "bedroom": "B EH D R UW M", "bathroom": "B AE TH R UW M", "low": "L OW",
    "half": "HH AE F", "full": "F UH L",
}  # fmt: skip


def phones(words: list[str]) -> list[str]:
    """The phones of these words, one after another."""
    return [phone for word in words for phone in WORDS[word].split()]
