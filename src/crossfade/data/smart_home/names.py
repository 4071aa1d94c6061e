"""What the built-in homes are made of: modalities, rooms, events, and the grid of time they are simulated on."""

from __future__ import annotations

import numpy as np

MODALITIES = ("audio", "transcript", "camera", "motion", "climate", "power", "weather")
ROOMS = ("living_room", "kitchen", "bedroom", "bathroom", "hall")
LIVING, KITCHEN, BEDROOM, BATHROOM, HALL = range(len(ROOMS))
EVENTS = ("nobody", "pet", "resident", "intruder", "glass_break")
NOBODY, PET, RESIDENT, INTRUDER, GLASS = range(len(EVENTS))

STEP = 300.0  # s between two states of the house
PER_HOUR, PER_DAY = 12, 288  # steps
DAYS = 10  # simulated, from a midnight on: two of history before the first moment, one of future after the last
STEPS = DAYS * PER_DAY
HISTORY_H, AHEAD_H = 48, 24  # what a moment looks back on, and what is forecast

HOUR = (np.arange(STEPS) + 0.5) / PER_HOUR % 24  # local time in the middle of every step, (T,) h
DAY = np.arange(STEPS) // PER_DAY  # (T,)

# Streams of random numbers: of a household, of its stretches, of its samples; no stream serves two of them, as numbers
# (seed, i) and (seed, i, 0, 0) would be the same seed. A decoy house (see `synthetic`) has its own, DECOY further on.
STREAMS = {"house": 0, "moment": 1, "window": 2, "presence": 3, "design": 4}
STREAMS |= {name: 10 + k for k, name in enumerate(MODALITIES)}
STREAMS |= {f"house of {name}": 20 + k for k, name in enumerate(MODALITIES)}
DECOY = 100
