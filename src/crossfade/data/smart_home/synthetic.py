"""The built-in households: each simulated once (`world`), looked at in chosen moments (`moments`), and rendered.

All modalities of a sample come from one state of one house, so each holds what its sensor would know and no more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from crossfade.data.source import Bound, Frame
from crossfade.data.synthetic.cache import cache_folder, cached, digest
from crossfade.data.synthetic.checks import check_modalities, check_targets, check_whole
from crossfade.data.synthetic.draws import Uniforms, generators
from crossfade.data.synthetic.knobs import per_modality
from crossfade.data.synthetic.presence import draw_presence
from crossfade.specs import ModalitySpec, TargetSpec

from . import audio, camera, moments, world
from .checks import check_rates
from .moments import EACH, Moments
from .names import DECOY, MODALITIES, STREAMS
from .rendering import render
from .truths import TARGETS, TRUTHS
from .world import World

log = logging.getLogger(__name__)

GENERATOR = 5  # raised with every change of what is rendered; part of the cache's key
KINDS = {
    "audio": "audio", "transcript": "text", "camera": "image", "motion": "series", "climate": "series",
    "power": "series", "weather": "series",
}  # fmt: skip
WHOSE = "the built-in households"


class SyntheticHouseholds:
    """`Source` of moments in households; groups are households.

    Modalities (those asked for are rendered): `audio` (25600,) at 16 kHz, `transcript` text, `camera` (4, H, W) grey
    frames half a second apart at `ModalitySpec.size`, and the series `motion`, `climate`, `power`, `weather` (columns
    and units in `series`). Targets: `command` (slots), `security` (multiclass), `intrusion` (alarm), `energy`
    (forecast). Sample (household, stretch, window) depends on `seed` and these three numbers alone, whatever
    `samples`, order or processes. A household gives three: a stretch of recording with three windows.

    Knobs, a number for all modalities or a mapping for some (the others keep the default):
      informativeness  λ in [0, 1], default 1: with probability 1 − λ the modality shows another house, drawn from the
                       same distribution, p(x | state) ← λ p(x | state) + (1 − λ) p(x); 0 leaves chance
      noise            ≥ 0, default 1: multiplies the physical noise (background of the audio, errors of the recogniser,
                       the camera's sensor, false alarms, spread and losses of readings, error of the forecast)
      missing          rate in [0, 1), default 0: modalities go missing independently, and where all that the run uses
                       would be missing, the draw is repeated
    Raises UserError for knobs out of range and modalities or targets that these households do not have.
    """

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int,
        samples: int = 3600,
        informativeness: float | Mapping[str, float] | None = None,
        noise: float | Mapping[str, float] | None = None,
        missing: float | Mapping[str, float] | None = None,
        cache: bool = True,
    ) -> None:
        check_whole({"data.source.samples": (samples, 1), "seed": (seed, 0)})
        check_modalities(modalities, KINDS, {"camera": camera.FRAMES}, WHOSE)
        check_targets(targets, TARGETS, WHOSE)
        check_rates(modalities)
        self.modalities, self.targets = dict(modalities), dict(targets)
        self.seed, self.samples, self.cache = int(seed), int(samples), cache
        self.households = -(-self.samples // EACH)
        self.informativeness = per_modality("informativeness", informativeness, MODALITIES, WHOSE)
        self.noise = per_modality("noise", noise, MODALITIES, WHOSE)
        self.missing = per_modality("missing", missing, MODALITIES, WHOSE)
        self.keys = moments.keys(self.households)[: self.samples]
        self._states: dict[int, tuple[World, Moments]] = {}
        self._values: dict[str, Any] = {}
        self._frame: Frame | None = None

    def state(self, universe: int = 0) -> tuple[World, Moments]:
        """The simulated households and their moments; universe DECOY: those that an uninformative modality shows."""
        if universe not in self._states:
            start = time.perf_counter()
            simulated = world.simulate(self.seed, self.households, universe)
            self._states[universe] = simulated, moments.draw(simulated, self.seed, universe)
            log.info("Simulated %d households in %.1f s", self.households, time.perf_counter() - start)
        return self._states[universe]

    def frame(self) -> Frame:
        """Ids H0000-0-0 … (household, stretch, window), one group per household, presence and truth; no split."""
        if self._frame is None:
            groups = [f"H{h:04d}" for h in self.keys[:, 0]]
            ids = [f"{group}-{j}-{k}" for group, (_, j, k) in zip(groups, self.keys, strict=True)]
            truth: dict[str, Sequence[Any]] = {
                name: TRUTHS[name](*self.state())[: self.samples] for name in self.targets
            }
            self._frame = Frame(ids=ids, groups=groups, present=self._presence(), truth=truth)
        return self._frame

    def read(self, index: int, without: Collection[str] = ()) -> dict[str, Any]:
        """Raw values of the modalities that sample `index` has; the first call renders or loads them all."""
        if not 0 <= index < self.samples:
            raise IndexError(f"there is no sample {index}: the source has {self.samples}")
        present = self.frame().present[index]
        return {
            name: self._value(name, index)
            for name, there in zip(self.modalities, present, strict=True)
            if there and name not in without
        }

    def bayes(self, target: str, modalities: Sequence[str]) -> Bound | None:
        """Nobody knows it: the likelihood of a rendered house has no closed form."""
        return None

    def fingerprint(self) -> str:
        """Hash of the generator's version, seed, knobs and specs: of all that determines the samples."""
        specs = {m: spec.model_dump(include={"size"}) for m, spec in self.modalities.items()}
        return digest(generator=GENERATOR, seed=self.seed, samples=self.samples, modalities=specs,
                      informativeness=self.informativeness, noise=self.noise, missing=self.missing)  # fmt: skip

    def prepare(self) -> None:
        """Render or load every modality now, so that later reads, in whatever process, are slices."""
        for name in self.modalities:
            self._all(name)

    def _presence(self) -> np.ndarray:
        names = [m for m in MODALITIES if m in self.modalities]
        u = Uniforms(generators(self.seed, self.keys, STREAMS["presence"]), 1).take()
        drawn = draw_presence([self.missing[m] for m in names], u)
        return drawn[:, [names.index(m) for m in self.modalities]]

    def _value(self, name: str, index: int) -> Any:
        value = self._all(name)[index]
        return value if name == "transcript" else value.astype(np.float32)

    def _all(self, name: str) -> Any:
        if name not in self._values:
            self._values[name] = self._cached(name) if name in ("audio", "camera") else self._render(name)
        return self._values[name]

    def _cached(self, name: str) -> np.ndarray:
        size = self.modalities[name].size
        shape = (audio.SAMPLES,) if name == "audio" else (camera.FRAMES, size, size)
        if not self.cache:
            return self._render(name)
        key = digest(generator=GENERATOR, modality=name, seed=self.seed, samples=self.samples, shape=shape,
                     informativeness=self.informativeness[name], noise=self.noise[name])  # fmt: skip
        path = cache_folder() / "smart_home" / f"{name}-{key}.npz"
        layout = {"values": ((self.samples, *shape), np.float16)}
        return cached(path, layout, lambda: {"values": self._render(name)})["values"]

    def _render(self, name: str) -> Any:
        """All samples of one modality: those whose draw is above its informativeness show the decoy house."""
        start = time.perf_counter()
        values = self._shown(name, 0)
        if self.informativeness[name] < 1:
            u = Uniforms(generators(self.seed, self.keys, DECOY + STREAMS["presence"] + STREAMS[name]), 1).take()
            other = self._shown(name, DECOY)
            for i in np.flatnonzero(u >= self.informativeness[name]):
                values[i] = other[i]
        log.info("Rendered %s of %d samples in %.1f s", name, self.samples, time.perf_counter() - start)
        return values

    def _shown(self, name: str, universe: int) -> Any:
        size = self.modalities[name].size
        return render(name, *self.state(universe), self.seed, universe, self.noise[name], size)[: self.samples]
