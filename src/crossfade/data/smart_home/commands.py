"""Spoken commands: a small grammar. What is meant is an intent and its slots; what is said may leave the room out.

"turn on the kitchen light"     named
"set the blinds to half"        not named: the room is where the speaker is
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossfade.data.synthetic.draws import Uniforms, choose

from .names import ROOMS

INTENTS = ("turn_on", "turn_off", "set", "query")
DEVICES = ("light", "heating", "blinds", "radio")
VALUES = ("low", "half", "full")  # of `set` only
COMMANDED = ROOMS[:4]  # rooms with something to command
SLOTS = ("device", "room", "value")
NAMED = 0.4  # p(the room is named)
COUNT = 9  # uniform numbers


@dataclass(frozen=True)
class Commands:
    """Indices into the lists above, (N,); `room` −1: no command. `named`: the room is said."""

    intent: np.ndarray
    device: np.ndarray
    value: np.ndarray
    room: np.ndarray
    named: np.ndarray
    style: np.ndarray  # (N, 3) uniform: verb, article, courtesy


def draw(u: Uniforms, place: np.ndarray) -> Commands:
    """Commands of speakers in these rooms, (N,); −1: nobody speaks."""
    intent = choose(np.array([0.3, 0.3, 0.25, 0.15]), u.take())
    device, value = choose(np.full(4, 0.25), u.take()), choose(np.full(3, 1 / 3), u.take())
    named, other = u.take() < NAMED, choose(np.full(4, 0.25), u.take())
    style = np.stack([u.take() for _ in range(3)], axis=1)
    return Commands(intent, device, value, np.where(place < 0, -1, np.where(named, other, place)), named, style)


def slots(commands: Commands, i: int) -> dict[str, str | None] | None:
    """What sample i asks for, {"intent", "device", "room", "value"}; None: nothing."""
    if commands.room[i] < 0:
        return None
    intent = INTENTS[commands.intent[i]]
    return {
        "intent": intent,
        "device": DEVICES[commands.device[i]],
        "room": COMMANDED[commands.room[i]],
        "value": VALUES[commands.value[i]] if intent == "set" else None,
    }


def words(commands: Commands, i: int) -> list[str]:
    """The words of sample i as they are spoken."""
    meant = slots(commands, i)
    if meant is None:
        return []
    verb, article, courtesy = commands.style[i]
    turn = "turn" if verb < 0.5 else "switch"
    opening = {"turn_on": [turn, "on"], "turn_off": [turn, "off"], "set": ["set"], "query": ["check"]}
    said = opening[str(meant["intent"])] + (["the"] if article < 0.4 else [])
    if commands.named[i]:
        said += str(meant["room"]).split("_")
    said.append(str(meant["device"]))
    if meant["value"]:
        said += (["to"] if article > 0.7 else []) + [meant["value"]]
    return said + (["please"] if courtesy < 0.15 else [])
