"""All samples of one modality, in blocks of samples, or of households where one log serves all their moments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from crossfade.data.synthetic.draws import Uniforms, generators
from crossfade.data.synthetic.rendering import in_blocks

from . import audio, camera, recogniser, sensors, series
from .moments import Moments, keys
from .names import STREAMS
from .world import World

Rngs = list[np.random.Generator]


def render(name: str, world: World, moments: Moments, seed: int, universe: int, noise: float, size: int) -> Any:
    """Values of modality `name`, one per sample: a list of texts, float16 arrays (audio, camera) or float32 series."""
    count = len(world.outdoor)
    key = keys(count)

    def own(rows: np.ndarray) -> Rngs:
        return generators(seed, key[rows], universe + STREAMS[name])

    def of_house(houses: np.ndarray) -> Rngs:
        return generators(seed, houses, universe + STREAMS[f"house of {name}"])

    def by_sample(make: Callable[[np.ndarray, Rngs], np.ndarray | list[str]]) -> list:
        blocks = in_blocks(len(key), lambda rows: make(rows[rows < len(key)], own(rows[rows < len(key)])))
        return [value for block in blocks for value in block]

    def by_house(make: Callable[[int, np.ndarray, np.random.Generator], np.ndarray]) -> np.ndarray:
        rows = np.arange(len(key)).reshape(count, -1)

        def block(houses: np.ndarray) -> list[np.ndarray]:
            houses = houses[houses < count]
            return [make(h, rows[h], rng) for h, rng in zip(houses.tolist(), of_house(houses), strict=True)]

        return np.concatenate([values for part in in_blocks(count, block) for values in part])

    if name == "audio":
        clips = by_sample(
            lambda rows, rngs: np.stack(
                [audio.render(world, moments, i, noise, rng) for i, rng in zip(rows, rngs, strict=True)]
            ).astype(np.float16)
        )
        return np.stack(clips)
    if name == "transcript":
        return by_sample(
            lambda rows, rngs: [
                recogniser.transcribe(moments, i, noise, rng) for i, rng in zip(rows, rngs, strict=True)
            ]
        )
    if name == "camera":

        def frames(rows: np.ndarray, rngs: Rngs) -> np.ndarray:
            rooms = Uniforms(of_house(moments.household[rows]), camera.ROOM_UNIFORMS)
            u = Uniforms(rngs, camera.UNIFORMS)
            return camera.render(world, moments, rows, size, noise, rooms, u, rngs).astype(np.float16)

        return np.stack(by_sample(frames))
    if name == "motion":
        rates = sensors.event_rates(world, noise)
        return by_house(lambda h, rows, rng: series.motion(rates[h], moments, rows, rng, own(rows)))
    if name == "climate":
        return by_house(lambda h, rows, rng: series.climate(world, h, moments, rows, noise, rng))
    if name == "power":
        return by_house(lambda h, rows, rng: series.power(world, h, moments, rows, noise, rng))
    return np.stack(by_sample(lambda rows, rngs: series.weather(world, moments, rows, noise, rngs)))
