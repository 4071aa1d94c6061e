"""The camera of the living room: four grey frames, half a second apart, oldest first, brightness 0 … 1.

    I = sensor(albedo · light),   light = daylight + lamps + a little infrared

The room (walls, window, sofa, table) is the household's own and stays. People are upright or sit, pets lie low and
long; who moves is in another place in every frame. In the dark the sensor's noise (shot and read-out) shows, and the
infrared lamp lights mostly what is near. Exposure follows the light, as a camera's does.
"""

from __future__ import annotations

import numpy as np

from crossfade.data.synthetic.draws import Uniforms

from .moments import Moments
from .names import LIVING
from .world import World

FRAMES, APART = 4, 0.5  # s
ROOM_UNIFORMS, UNIFORMS = 16, 40
SEEN = 3  # people that are drawn at most
WALK, TROT = 0.11, 0.16  # largest step between two frames, in widths of the picture


def soft(distance: np.ndarray, size: int) -> np.ndarray:
    """1 inside, 0 outside, a pixel's ramp between; `distance` > 0 inside, in widths of the picture."""
    return np.clip(distance * size + 0.5, 0.0, 1.0)


class Canvas:
    """Pictures (B, FRAMES, S, S) that things are painted onto; x to the right, y down, both 0 … 1."""

    def __init__(self, count: int, size: int) -> None:
        middle = (np.arange(size, dtype=np.float32) + 0.5) / size
        self.x, self.y, self.size = middle[None, None, None, :], middle[None, None, :, None], size
        self.albedo = np.full((count, FRAMES, size, size), 0.5, np.float32)

    def _paint(self, mask: np.ndarray, grey: np.ndarray) -> None:
        self.albedo += mask * (grey - self.albedo)

    def box(self, left, right, top, bottom, grey, shown=1.0) -> None:
        """Arguments (B, FRAMES) or broadcastable; `shown` 0 leaves it out."""
        left, right, top, bottom, grey, shown = map(_wide, (left, right, top, bottom, grey, shown))
        horizontal = soft(np.minimum(self.x - left, right - self.x), self.size)
        self._paint(shown * horizontal * soft(np.minimum(self.y - top, bottom - self.y), self.size), grey)

    def ellipse(self, x, y, a, b, grey, shown=1.0) -> None:
        x, y, a, b, grey, shown = map(_wide, (x, y, a, b, grey, shown))
        r = np.sqrt(((self.x - x) / a) ** 2 + ((self.y - y) / b) ** 2)
        self._paint(shown * soft((1 - r) * np.minimum(a, b), self.size), grey)


def _wide(value: np.ndarray | float) -> np.ndarray:
    """(B,) or (B, FRAMES) → (B, 1 | FRAMES, 1, 1), float32."""
    value = np.asarray(value, np.float32)
    value = value[:, None] if value.ndim == 1 else value
    return value[..., None, None]


def people(world: World, moments: Moments, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Who is in the living room, and who of them moves: bool (B, P + 1) each, the intruder last."""
    house, step = moments.household[rows], moments.step[rows]
    here = world.rhythm.up[house, :, step] & (world.rhythm.room[house, :, step] == LIVING)
    stranger = (moments.inside[rows] == LIVING)[:, None]
    there = np.concatenate([here, stranger], axis=1)
    return there, np.concatenate([world.rhythm.moves[house, :, step], stranger], axis=1) & there


def render(
    world: World, moments: Moments, rows: np.ndarray, size: int, noise: float, rooms: Uniforms, u: Uniforms,
    rngs: list[np.random.Generator],
) -> np.ndarray:  # fmt: skip
    """Frames of these samples, float32 (B, FRAMES, S, S).

    `rooms` holds the households' uniform numbers (the same for all samples of one), `u` and `rngs` the samples' own;
    `noise` multiplies the sensor's noise.
    """
    house, step = moments.household[rows], moments.step[rows]
    canvas = Canvas(len(rows), size)
    wall, floor = rooms.between(0.45, 0.75), rooms.between(0.25, 0.5)
    horizon = rooms.between(0.5, 0.6)
    zero, one = np.zeros(len(rows)), np.ones(len(rows))
    canvas.box(zero - 1, one + 1, zero - 1, horizon, wall)
    canvas.box(zero - 1, one + 1, horizon, one + 1, floor)
    left = rooms.between(0.05, 0.6)
    day = np.clip(world.irradiance[house, step] / 150, 0, 1)
    canvas.box(left, left + rooms.between(0.2, 0.3), zero + 0.1, zero + 0.38, 0.1 + 0.9 * day)
    sofa = rooms.between(0.1, 0.55)
    seat = rooms.between(0.2, 0.7)
    canvas.box(sofa, sofa + 0.38, horizon - 0.06, horizon + 0.16, seat)
    table = rooms.between(0.05, 0.75)
    canvas.box(table, table + 0.2, horizon + 0.22, horizon + 0.28, rooms.between(0.15, 0.6))
    shelf = rooms.between(0.0, 0.9)
    canvas.box(shelf, shelf + 0.1, zero + 0.2, horizon, rooms.between(0.15, 0.6))

    there, moves = people(world, moments, rows)
    order = np.argsort(~there, axis=1, kind="stable")[:, :SEEN]
    frames = np.arange(FRAMES)
    for k in range(SEEN):
        who = order[:, k], np.arange(len(rows))
        shown, walks = there[who[1], who[0]].astype(np.float32), moves[who[1], who[0]]
        speed = np.where(walks, WALK * (0.4 + 0.6 * u.take()) * np.where(u.take() < 0.5, -1, 1), 0.004)
        start = np.where(walks, 0.1 + 0.8 * u.take(), sofa + 0.04 + 0.3 * u.take())
        x = _bounce(start[:, None] + speed[:, None] * frames)
        height = np.where(walks, u.between(0.42, 0.6), u.between(0.2, 0.27))
        feet = horizon + np.where(walks, u.between(0.12, 0.36), 0.06)
        grey, skin = u.between(0.05, 0.95), u.between(0.55, 0.8)
        body = 0.055 + 0.09 * height
        canvas.ellipse(x, feet - 0.42 * height, body, 0.44 * height, grey, shown)
        canvas.ellipse(x, feet - 0.92 * height, 0.1 * height + 0.015, 0.11 * height + 0.015, skin, shown)
    pet = world.rhythm.pet_moves[house, step] & (world.rhythm.pet_room[house, step] == LIVING)
    speed = TROT * (0.3 + 0.7 * u.take()) * np.where(u.take() < 0.5, -1, 1)
    x = _bounce((0.1 + 0.8 * u.take())[:, None] + speed[:, None] * frames)
    ground, long, grey = horizon + u.between(0.12, 0.36), u.between(0.07, 0.12), u.between(0.05, 0.95)
    side = np.sign(speed)[:, None]
    canvas.ellipse(x, ground - 0.05, long, 0.055 * one, grey, pet)
    canvas.ellipse(x + side * long[:, None] * 0.95, ground - 0.09, 0.035 * one, 0.035 * one, grey, pet)
    # a curtain or a television that flickers: something moves though nobody is there
    flicker = (u.take() < 0.25)[:, None] * (0.3 - 0.6 * u.take())[:, None] * np.array([0, 1, 0.3, -0.6])
    canvas.box(shelf - 0.13, shelf - 0.02, horizon - 0.2, horizon - 0.05, 0.35 + flicker)

    light = world.irradiance[house, step] / 120 + 0.9 * world.lit[house, LIVING, step]
    near = 0.35 + 0.65 * (canvas.y > _wide(horizon))
    scene = canvas.albedo * (_wide(light) + 0.10 * near)
    gain = 1 / np.maximum(0.9 * light + 0.08, 0.16)  # exposure, up to the sensor's highest
    if noise > 0:
        random = np.stack([rng.standard_normal((2, FRAMES, size, size), dtype=np.float32) for rng in rngs])
        scene = scene + noise * (0.03 * np.sqrt(scene) * random[:, 0] + 0.012 * random[:, 1])
    return np.clip(scene * _wide(gain), 0, 1).astype(np.float32)


def _bounce(x: np.ndarray) -> np.ndarray:
    """Positions kept inside the picture: whoever comes to the edge turns round."""
    return 0.05 + np.abs((x - 0.05) % 1.8 - 0.9)
