"""The clip that the house's microphone kept of a window: its loudest moment, 1.6 s at 16 kHz.

A command if one was given, else a sound that fits what goes on, in the room where it goes on; always the background.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import acoustics, sounds
from .commands import words
from .moments import Moments
from .names import EVENTS, LIVING, PET, RESIDENT
from .phones import phones
from .voice import Voice, say
from .world import World

SAMPLES = 25600  # 1.6 s
SPEECH = 0.1  # RMS of speech in the living room

Sound = Callable[[int, np.random.Generator], np.ndarray]

# event → sounds and the probability of each; the steps of an empty house are a neighbour's
HEARD: dict[str, dict[Sound, float]] = {
    "nobody": {sounds.car: 0.15, sounds.slam: 0.1, sounds.rain: 0.1, sounds.steps: 0.15, sounds.silence: 0.5},
    "pet": {sounds.bark: 0.2, sounds.patter: 0.25, sounds.car: 0.1, sounds.rain: 0.05, sounds.silence: 0.4},
    "resident": {
        sounds.steps: 0.25, sounds.dishes: 0.2, sounds.rummage: 0.15, sounds.television: 0.15, sounds.silence: 0.25,
    },
    "intruder": {
        sounds.steps: 0.25, sounds.rummage: 0.1, sounds.car: 0.1, sounds.rain: 0.05, sounds.silence: 0.5,
    },
    "glass_break": {sounds.glass: 1.0},
}  # fmt: skip


def source_room(world: World, moments: Moments, i: int) -> int:
    """Where the sound of sample i comes from."""
    house, step, event = moments.household[i], moments.step[i], moments.event[i]
    if moments.inside[i] >= 0:
        return int(moments.inside[i])
    if event == RESIDENT:
        return int(world.rhythm.room[house, int(np.argmax(world.rhythm.up[house, :, step])), step])
    return int(world.rhythm.pet_room[house, step]) if event == PET else LIVING


def clean(world: World, moments: Moments, i: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """The sound of sample i as made, and the room where it is made."""
    said = words(moments.commands, i)
    if said:
        homes, who = world.homes, (moments.household[i], moments.speaker[i])
        voice = Voice(float(homes.pitch[who]), float(homes.tract[who]), float(rng.uniform(0.9, 1.2)))
        return say(phones(said), voice, SAMPLES, rng), int(moments.place[i])
    heard = HEARD[EVENTS[moments.event[i]]]
    chosen = np.searchsorted(np.cumsum(list(heard.values()))[:-1], moments.sound[i], side="right")
    return list(heard)[int(chosen)](SAMPLES, rng), source_room(world, moments, i)


def render(world: World, moments: Moments, i: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Waveform (SAMPLES,) in [−1, 1]; `noise` multiplies the background's amplitude."""
    wave, room = clean(world, moments, i, rng)
    heard = acoustics.through(wave, room, rng)
    floor = SPEECH * 10 ** (-moments.snr[i] / 20)
    return np.clip(heard + noise * np.float32(floor) * acoustics.background(SAMPLES, rng), -1, 1)
