"""What is to be predicted of every sample, as the targets' classes take it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .commands import slots
from .moments import STRETCHES, Moments
from .names import AHEAD_H, EVENTS
from .series import hourly
from .world import World

TARGETS = {"command": "slots", "security": "multiclass", "intrusion": "alarm", "energy": "forecast"}


def command(world: World, moments: Moments) -> list[dict[str, str | None] | None]:
    """Intent and slots of the spoken command; None: nobody gives one."""
    return [slots(moments.commands, i) for i in range(len(moments.end))]


def security(world: World, moments: Moments) -> list[str]:
    """What goes on: nobody (away or asleep), pet, resident (up), intruder, glass_break (a pane, in this window)."""
    return [EVENTS[k] for k in moments.event]


def intrusion(world: World, moments: Moments) -> list[dict[str, float]]:
    """Is a stranger in the house, in which stretch of recording, and for how many seconds (NaN: none is)."""
    episode = moments.household * STRETCHES + moments.stretch
    return [
        {"intruder": int(inside >= 0), "episode": int(number), "since_s": float(since)}
        for inside, number, since in zip(moments.inside, episode, moments.since, strict=True)
    ]


def energy(world: World, moments: Moments) -> list[dict[str, Any]]:
    """The next 24 h, from the end of the current step on, by the hour: load in kW, share of time in which somebody is
    at home, outdoor °C; the indoor °C now, and the house's constants in K/kW, kWh/K and kW."""
    house, step = moments.household, moments.step + 1

    def ahead(values: np.ndarray) -> np.ndarray:
        return hourly(lambda index: values[house[:, None], index], step, 0, AHEAD_H).astype(np.float32)

    load, occupied, outdoor = ahead(world.electric), ahead(world.occupied), ahead(world.outdoor)
    homes = world.homes
    return [
        {
            "load": load[i],
            "occupied": occupied[i],
            "outdoor": outdoor[i],
            "indoor": float(world.indoor[h, step[i]]),
            "resistance": float(homes.resistance[h]),
            "capacity": float(homes.capacity[h]),
            "heater": float(homes.heater[h]),
        }
        for i, h in enumerate(house)
    ]


TRUTHS: dict[str, Callable[[World, Moments], Sequence[Any]]] = {
    "command": command,
    "security": security,
    "intrusion": intrusion,
    "energy": energy,
}
