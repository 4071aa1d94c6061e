"""The moments of a household that are looked at, and what goes on in them.

A stretch is WINDOWS windows, PERIOD seconds apart, within one step of the house; each window is a sample. Stretches are
chosen as in a case-control study, or rare events would fill no data set: somebody is up (p = 0.50; often just come
home or up), nobody is (0.22; if there is a pet, it often moves), or somebody breaks in (0.28), which happens when
nobody is up. The break-in starts before or between the windows: through a window, which breaks, or through the door.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossfade.data.synthetic.draws import Uniforms, choose, generators

from .commands import COUNT as COMMAND_UNIFORMS
from .commands import Commands
from .commands import draw as draw_commands
from .households import PEOPLE
from .names import (
    AHEAD_H,
    BEDROOM,
    DAYS,
    GLASS,
    HALL,
    HISTORY_H,
    INTRUDER,
    KITCHEN,
    LIVING,
    NOBODY,
    PER_DAY,
    PET,
    RESIDENT,
    STEP,
    STEPS,
    STREAMS,
)
from .world import World

STRETCHES, WINDOWS = 2, 3  # of a household; of a stretch
PERIOD = 60.0  # s, between two windows
EACH = STRETCHES * WINDOWS  # samples of a household
BUSY, QUIET, BREAK_IN = range(3)
KINDS = np.array([0.5, 0.22, 0.28])
SPEAKS = 0.93  # of windows in which somebody is up
BY_WINDOW = 0.65  # of break-ins


@dataclass(frozen=True)
class Moments:
    """N = households · EACH samples, ordered by household, stretch and window; arrays are (N,)."""

    household: np.ndarray
    stretch: np.ndarray
    window: np.ndarray
    step: np.ndarray  # of the house
    end: np.ndarray  # s since midnight of day 0: the window is (end − PERIOD, end]
    onset: np.ndarray  # s of the break-in; NaN: none
    entry: np.ndarray  # the room that the intruder comes in by; −1: no break-in
    glass: np.ndarray  # bool: a pane breaks in this window
    inside: np.ndarray  # the room that an intruder is in now; −1: nobody broke in yet
    event: np.ndarray  # index into EVENTS
    speaker: np.ndarray  # the resident who speaks to the house; −1: nobody does
    place: np.ndarray  # the speaker's room; −1
    commands: Commands
    snr: np.ndarray  # dB, speech to noise at the microphone, were the speaker in the living room
    sound: np.ndarray  # uniform: which sound there is, of those that fit

    @property
    def since(self) -> np.ndarray:
        """Seconds from the break-in to the window's end; NaN: no intruder yet."""
        return np.where(self.inside >= 0, self.end - self.onset, np.nan)


def keys(count: int) -> np.ndarray:
    """(household, stretch, window) of every sample of the first `count` households, (N, 3)."""
    grid = np.meshgrid(np.arange(count), np.arange(STRETCHES), np.arange(WINDOWS), indexing="ij")
    return np.stack([axis.ravel() for axis in grid], axis=1)


def draw(world: World, seed: int, universe: int = 0) -> Moments:
    """The moments of all households of `world`; a stretch depends on (seed, household, its number) alone."""
    key = keys(len(world.outdoor))
    first = key[::WINDOWS]
    s = Uniforms(generators(seed, first[:, :2], universe + STREAMS["moment"]), 8)
    kind = choose(KINDS, s.take())
    step = _steps(world, first[:, 0], kind, s)
    start = step * STEP + s.between(60, 120)  # the first window's end: the last one still lies in the step
    broken_in = kind == BREAK_IN
    onset = np.where(broken_in, start + s.between(-55, 50), np.nan)
    by_window = s.take() < BY_WINDOW
    entry = np.where(
        by_window, np.array([LIVING, KITCHEN, BEDROOM])[choose(np.array([0.55, 0.35, 0.1]), s.take())], HALL
    )
    entry = np.where(broken_in, entry, -1)

    def each(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, WINDOWS)

    household, step, onset, entry, by_window = key[:, 0], each(step), each(onset), each(entry), each(by_window)
    end = each(start) + PERIOD * key[:, 2]
    w = Uniforms(generators(seed, key, universe + STREAMS["window"]), 10 + COMMAND_UNIFORMS)
    there = onset < end  # False for NaN
    now = there & (onset >= end - PERIOD)
    further = np.array([LIVING, KITCHEN, BEDROOM, HALL])[choose(np.array([0.7, 0.1, 0.1, 0.1]), w.take())]
    inside = np.where(there, np.where(now, entry, further), -1)
    up = world.rhythm.up[household, :, step]
    rooms = world.rhythm.room[household, :, step]
    speaker, place = _speaker(up, rooms, w.take(), (w.take() < SPEAKS) & ~there)
    event = np.select(
        [now & by_window, there, up.any(axis=1), world.rhythm.pet_moves[household, step]],
        [GLASS, INTRUDER, RESIDENT, PET],
        NOBODY,
    )
    return Moments(
        household=household,
        stretch=key[:, 1],
        window=key[:, 2],
        step=step,
        end=end,
        onset=onset,
        entry=entry,
        glass=now & by_window,
        inside=inside,
        event=event,
        speaker=speaker,
        place=place,
        commands=draw_commands(w, place),
        snr=w.between(0, 22),
        sound=w.take(),
    )


def _steps(world: World, household: np.ndarray, kind: np.ndarray, u: Uniforms) -> np.ndarray:
    """A step for every stretch, by weights that depend on its kind."""
    awake, pet = world.awake, world.rhythm.pet_moves
    before = np.stack([np.roll(awake, k, axis=1) for k in range(1, 7)]).any(axis=0)
    begins = awake & ~before  # the first step after half an hour in which nobody was up
    begins |= np.roll(begins, 1, axis=1) & awake
    possible = np.zeros(STEPS, dtype=bool)
    possible[HISTORY_H // 24 * PER_DAY : (DAYS - AHEAD_H // 24) * PER_DAY - 1] = True
    weights = np.stack([awake * (1 + 8.0 * begins), ~awake * (1 + 9.0 * pet), (~awake).astype(float)], axis=1)
    weights = (weights + 1e-6) * possible  # a household that never rests, or is never there, has some moment, too
    total = np.cumsum(weights, axis=-1)[household, kind]
    wanted = u.take() * total[:, -1]
    return np.array([np.searchsorted(row, x, side="right") for row, x in zip(total, wanted, strict=True)])


def _speaker(up: np.ndarray, rooms: np.ndarray, u: np.ndarray, speaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One of those who are up in a room that has something to command (not the hall), and that room; −1: nobody."""
    can = up & (rooms != HALL)
    order = np.cumsum(can, axis=1)
    chosen = np.minimum(np.floor(u * order[:, -1]), order[:, -1] - 1) + 1
    speaker = (order < chosen[:, None]).sum(axis=1)
    speaks = speaks & can.any(axis=1)
    place = rooms[np.arange(len(rooms)), np.minimum(speaker, PEOPLE - 1)]
    return np.where(speaks, speaker, -1), np.where(speaks, place, -1)
