"""Draws docs/figures/home.png: a day of one built-in household, and what microphone and camera kept of some moments.

    python docs/figures/home.py

The day is the third of the first household of seed 0 with a pet and two people or more. The moments below are the
first of seed 0 with what their titles say; camera at 96 × 96 pixels, `modality.camera.size` is what a model sees.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from crossfade.data.smart_home import audio, camera, moments, recogniser, sensors, world
from crossfade.data.smart_home.commands import words
from crossfade.data.smart_home.moments import Moments
from crossfade.data.smart_home.names import (
    GLASS,
    INTRUDER,
    LIVING,
    PER_DAY,
    PET,
    RESIDENT,
    ROOMS,
    STEP,
    STREAMS,
)
from crossfade.data.smart_home.world import World
from crossfade.data.synthetic.draws import Uniforms, generators

SEED, HOUSES, DAY, SIZE = 0, 128, 2, 96
INK, MUTED = "#1b2733", "#6b7785"
ROOM_COLOURS = ("#3b6fb6", "#d98c2b", "#7a5ca8", "#3a9a8c", "#8a8f98")


def day_of(homes: World, house: int, axes: list[Axes]) -> None:
    """People and pet by room, motion, electricity, temperatures, air and light of one day."""
    steps = slice(DAY * PER_DAY, (DAY + 1) * PER_DAY)
    hour = np.arange(PER_DAY) * STEP / 3600
    life, lines = homes.rhythm, int(homes.homes.residents[house])
    where = axes[0]
    for p in range(lines):
        for r, colour in enumerate(ROOM_COLOURS):
            here = life.up[house, p, steps] & (life.room[house, p, steps] == r)
            where.fill_between(hour, p + 0.1, p + 0.9, where=here, color=colour, lw=0, step="post")
        asleep = life.home[house, p, steps] & ~life.up[house, p, steps]
        where.fill_between(hour, p + 0.35, p + 0.65, where=asleep, color="#d5dae0", lw=0, step="post")
    where.set_yticks(np.arange(lines) + 0.5, [f"person {p + 1}" for p in range(lines)])
    for r, (name, colour) in enumerate(zip(ROOMS, ROOM_COLOURS, strict=True)):
        where.text(0.3 + 3.1 * r, lines + 0.12, name.replace("_", " "), color=colour, fontsize=8)
    where.text(0.3 + 3.1 * len(ROOMS), lines + 0.12, "asleep (grey), away (blank)", color=MUTED, fontsize=8)

    (rng,) = generators(SEED, np.array([house]), STREAMS["house of motion"])
    logs = sensors.infrared(sensors.event_rates(homes, 1.0)[house], rng)
    for r, (log, colour) in enumerate(zip(logs, ROOM_COLOURS, strict=True)):
        time = (log.time - DAY * 86400) / 3600
        axes[1].eventplot(time[(time >= 0) & (time < 24)], lineoffsets=r, linelengths=0.8, colors=colour, lw=0.4)
    axes[1].set_yticks(range(len(ROOMS)), [name.replace("_", " ") for name in ROOMS])
    axes[2].fill_between(hour, homes.electric[house, steps], color="#c9973a", lw=0, step="post")
    axes[2].set_ylabel("kW")
    axes[3].plot(hour, homes.indoor[house, steps], color="#b3261e", label="indoors")
    axes[3].plot(hour, homes.outdoor[house, steps], color="#3b6fb6", label="outdoors")
    axes[3].set_ylabel("°C")
    axes[3].legend(loc="center left", fontsize=7, frameon=False)
    axes[4].plot(hour, homes.co2[house, steps], color="#3a9a8c")
    axes[4].set_ylabel("CO₂, ppm", color="#3a9a8c")
    light = axes[4].twinx()
    light.plot(hour, homes.lux[house, steps], color="#d98c2b", lw=0.8)
    light.set_ylabel("lux", color="#d98c2b")
    light.spines[["top"]].set_visible(False)
    axes[4].set_xlabel("hour of the day")


def main() -> None:
    homes = world.simulate(SEED, HOUSES)
    looked = moments.draw(homes, SEED)
    house = int(np.flatnonzero(homes.homes.pet & (homes.homes.residents >= 2))[0])
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 8.5, "text.color": INK, "axes.edgecolor": MUTED})
    figure = plt.figure(figsize=(12, 10.4), dpi=90)
    top = figure.add_gridspec(5, 1, top=0.97, bottom=0.47, left=0.075, right=0.94, hspace=0.28,
                              height_ratios=[1.1, 1.1, 1, 1, 1])  # fmt: skip
    axes = [figure.add_subplot(top[k]) for k in range(5)]
    day_of(homes, house, axes)
    for axis in axes:
        axis.set_xlim(0, 24)
        axis.set_xticks(range(0, 25, 3), [] if axis is not axes[-1] else None)
        axis.spines[["top", "right"]].set_visible(False)
    low = figure.add_gridspec(2, 4, top=0.405, bottom=0.03, left=0.05, right=0.985, hspace=0.3, wspace=0.16)
    sounds(homes, looked, [figure.add_subplot(low[0, k]) for k in range(4)])
    pictures(homes, looked, [figure.add_subplot(low[1, k]) for k in range(4)])
    figure.savefig(Path(__file__).with_suffix(".png"))


def first(looked: Moments, holds: Callable[[int], bool]) -> int:
    """The first sample that this holds for."""
    return next(i for i in range(len(looked.end)) if holds(i))


def sounds(homes: World, looked: Moments, axes: list[Axes]) -> None:
    """Spectrograms: two commands (quiet and noisy, with what the recogniser made of them), breaking glass, a bark."""
    said = looked.commands
    chosen = [
        first(looked, lambda i: said.room[i] >= 0 and looked.snr[i] > 18 and looked.place[i] == LIVING),
        first(looked, lambda i: said.room[i] >= 0 and looked.snr[i] < 7 and said.named[i]),
        first(looked, lambda i: looked.event[i] == GLASS and looked.snr[i] > 10),
        first(looked, lambda i: looked.event[i] == PET and looked.sound[i] < 0.2 and looked.snr[i] > 10),
    ]
    keys = moments.keys(HOUSES)[chosen]
    waves, texts = generators(SEED, keys, STREAMS["audio"]), generators(SEED, keys, STREAMS["transcript"])
    for axis, i, wave, text in zip(axes, chosen, waves, texts, strict=True):
        clip = audio.render(homes, looked, i, 1.0, wave)
        axis.specgram(clip, NFFT=400, noverlap=300, Fs=16000, cmap="magma", vmin=-115, vmax=-45)
        spoken = " ".join(words(looked.commands, i))
        heard = recogniser.transcribe(looked, i, 1.0, text)
        title = f"“{spoken}”\nrecognised: {heard}" if spoken else ("a pane breaks" if looked.glass[i] else "the pet")
        axis.set_title(title, fontsize=8.5)
        axis.set_yticks([0, 2000, 4000, 6000, 8000], ["0", "2", "4", "6", "8 kHz"])
        axis.set_xticks([0, 0.5, 1, 1.5], ["0", "0.5", "1", "1.5 s"])


def pictures(homes: World, looked: Moments, axes: list[Axes]) -> None:
    """The first and the last frame of residents, a pet and an intruder, side by side."""
    there, _ = camera.people(homes, looked, np.arange(len(looked.end)))
    pet = homes.rhythm.pet_room[looked.household, looked.step] == LIVING
    bright = homes.irradiance[looked.household, looked.step] > 60
    chosen = {
        "residents, by day": first(looked, lambda i: looked.event[i] == RESIDENT and there[i].sum() > 1 and bright[i]),
        "pet, nobody else up": first(looked, lambda i: looked.event[i] == PET and bool(pet[i]) and bool(bright[i])),
        "intruder, by day": first(looked, lambda i: looked.event[i] == INTRUDER and there[i, -1] and bright[i]),
        "intruder, at night": first(looked, lambda i: looked.event[i] == INTRUDER and there[i, -1] and not bright[i]),
    }
    rows = np.array(list(chosen.values()))
    rooms = Uniforms(generators(SEED, looked.household[rows], STREAMS["house of camera"]), camera.ROOM_UNIFORMS)
    own = generators(SEED, moments.keys(HOUSES)[rows], STREAMS["camera"])
    frames = camera.render(homes, looked, rows, SIZE, 1.0, rooms, Uniforms(own, camera.UNIFORMS), own)
    for axis, title, shot in zip(axes, chosen, frames, strict=True):
        pair = np.concatenate([shot[0], np.ones((SIZE, 3)), shot[-1]], axis=1)
        axis.imshow(pair, cmap="gray", vmin=0, vmax=1)
        axis.set_title(f"{title}: first and last frame, 1.5 s apart", fontsize=8)
        axis.axis("off")


if __name__ == "__main__":
    main()
