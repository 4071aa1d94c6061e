"""Blocks of drives: drawn, simulated once, and kept, so that every modality and truth is made from the same world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from crossfade.data.synthetic.cache import cache_folder, cached, digest
from crossfade.data.synthetic.draws import Uniforms, generators
from crossfade.data.synthetic.rendering import BLOCK, in_blocks

from . import names, scenario, simulation, weather
from .scenario import MOVERS, SLOTS, VEHICLES, Scenario
from .scene import Scene, look
from .simulation import Motion
from .weather import Weather


@dataclass(frozen=True)
class World:
    """A block of drives, from the past of the first frame to the future of the last."""

    scenario: Scenario
    motion: Motion
    weather: Weather

    def look(self, frame: int) -> Scene:
        return look(self.scenario, self.motion, self.weather, frame)


@dataclass
class Worlds:
    """The drives 0, 1, … of a seed, block by block.

    `share` (λ) is the share of drives that are themselves; each of the others is another one, drawn independently of
    all else: what is rendered from it says nothing of the drive whose number it bears. `shares` of rain, fog, night.
    """

    seed: int
    count: int  # drives; whole blocks are simulated
    shares: Mapping[str, float]
    share: float = 1.0
    cache: bool = True
    generator: int = 0
    _kept: dict[str, np.ndarray] = field(default_factory=dict)

    def block(self, drives: np.ndarray) -> World:
        """The world of a whole block of drives."""
        drawn, air = self._draw(drives)
        kept = self._kept
        rows = slice(drives[0], drives[-1] + 1)
        run = (kept[name][rows] for name in ("length", "speed", "acceleration", "there"))
        motion = simulation.to_world(drawn, *run)
        return World(drawn, motion, air)

    def _draw(self, drives: np.ndarray) -> tuple[Scenario, Weather]:
        own = generators(self.seed, drives, names.STREAMS["drive"])
        if self.share < 1:
            shown = [rng.random() for rng in generators(self.seed, drives, names.STREAMS["shown"])]
            others = generators(self.seed, drives, names.STREAMS["decoy"])
            own = [a if u < self.share else b for a, b, u in zip(own, others, shown, strict=True)]
        u, v = Uniforms(own, scenario.UNIFORMS), Uniforms(own, weather.UNIFORMS)
        return scenario.draw(u), weather.draw(v, **self.shares)

    def prepare(self) -> Worlds:
        """Simulate or load all drives; before `block`, and not from several threads."""
        if not self._kept:
            whole = -(-self.count // BLOCK) * BLOCK
            layout = {
                "length": ((whole, names.STEPS, MOVERS), np.float64),
                "speed": ((whole, names.STEPS, MOVERS), np.float64),
                "acceleration": ((whole, names.STEPS, VEHICLES), np.float64),
                "there": ((whole, SLOTS), np.bool_),
            }
            if self.cache:
                key = digest(generator=self.generator, seed=self.seed, drives=whole, share=self.share)
                path = cache_folder() / "driving" / f"world-{key}.npz"
                self._kept = cached(path, layout, self._simulate)
            else:
                self._kept = self._simulate()
        return self

    def _simulate(self) -> dict[str, np.ndarray]:
        runs = in_blocks(self.count, lambda drives: simulation.simulate(self._draw(drives)[0]))
        columns = zip(*runs, strict=True)
        return dict(zip(("length", "speed", "acceleration", "there"), map(np.concatenate, columns), strict=True))
