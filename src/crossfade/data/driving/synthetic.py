"""The built-in drives: a world is simulated once, and every modality and every truth is made from it.

drive = road + agents + weather (`scenario`, `weather`),   motion = IDM (`simulation`),   x_m = sensor_m(scene, noise)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from crossfade.data.source import Bound, Frame
from crossfade.data.synthetic.cache import Arrays, Layout, cache_folder, cached, digest
from crossfade.data.synthetic.checks import check_modalities, check_targets, check_whole
from crossfade.data.synthetic.draws import generators
from crossfade.data.synthetic.knobs import per_modality
from crossfade.data.synthetic.presence import draw_presence
from crossfade.data.synthetic.rendering import in_blocks
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

from . import camera, chart, lidar, names, odometry, radar, truths
from .checks import check_frames, check_shares, check_specs, classes_of, extent_of
from .names import CHANNELS, KINDS, MODALITIES
from .world import World, Worlds

log = logging.getLogger(__name__)

GENERATOR = 1  # raised with every change of what is simulated or rendered; part of the cache's keys
WHOSE = "the built-in drives"


class SyntheticDrives:
    """`Source` of moments of simulated drives through a town: `frames` consecutive ones, 0.5 s apart, of each drive.

    Modalities (those asked for are rendered): `camera` (3, S, S) RGB in [0, 1]; `lidar` (N, 4) x, y, z m, intensity;
    `radar` (N, 5) x, y, z m, radial velocity m/s, cross section dBsm, N may be 0; `map` (4, S, S), layers of
    `chart.LAYERS`; `ego` (20, 3) speed m/s, yaw rate rad/s, acceleration m/s² at 10 Hz. Axes: `scene`. Targets:
    perception, presence, behaviour, intention, planning (`truths`). A sample depends on (seed, drive, frame) alone,
    whatever `samples`, order or processes.

    Knobs, a number for all modalities or a mapping for some (the others keep the default):
      informativeness  λ in [0, 1], default 1: with 1 − λ a drive's modality shows another drive; 0 leaves chance
      noise            ≥ 0, default 1: multiplies what the sensor adds (`SD`s, drop-outs, false alarms, position error)
      missing          rate in [0, 1), default 0: modalities go missing independently, and where all that the run uses
                       would be missing, the draw is repeated
    `rain`, `fog`, `night`: shares in [0, 1] of drives with each.
    Raises UserError for knobs out of range and modalities or targets that these drives do not have.
    """

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int,
        samples: int = 2800,
        frames: int = 2,
        informativeness: float | Mapping[str, float] | None = None,
        noise: float | Mapping[str, float] | None = None,
        missing: float | Mapping[str, float] | None = None,
        rain: float = 0.25,
        fog: float = 0.15,
        night: float = 0.3,
        cache: bool = True,
    ) -> None:
        check_whole({"data.source.samples": (samples, 1), "seed": (seed, 0)})
        check_frames(frames)
        check_modalities(modalities, KINDS, CHANNELS, WHOSE)
        check_specs(modalities)
        check_targets(targets, names.TARGETS, WHOSE)
        self.modalities, self.targets = dict(modalities), dict(targets)
        self.classes = {name: classes_of(spec) for name, spec in targets.items()}
        self.seed, self.samples, self.frames, self.cache = int(seed), int(samples), int(frames), cache
        self.informativeness = per_modality("informativeness", informativeness, MODALITIES, WHOSE)
        self.noise = per_modality("noise", noise, MODALITIES, WHOSE)
        self.missing = per_modality("missing", missing, MODALITIES, WHOSE)
        self.shares = check_shares(rain=rain, fog=fog, night=night)
        self.drives = -(-self.samples // self.frames)
        self._worlds: dict[float, Worlds] = {}
        self._values: dict[str, Any] = {}  # modality → one value per sample, once read
        self._frame: Frame | None = None

    def frame(self) -> Frame:
        """Ids D00000-0 …, the drives as groups, presence and truth; no split: whoever uses it splits by group."""
        if self._frame is None:
            numbers = [divmod(i, self.frames) for i in range(self.samples)]
            truth: dict[str, Sequence[Any]] = {name: self._truth(name) for name in self.targets}
            self._frame = Frame(
                ids=[f"D{drive:05d}-{frame}" for drive, frame in numbers],
                groups=[f"D{drive:05d}" for drive, _ in numbers],
                present=self._presence(),
                truth=truth,
            )
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
        """None: what can at best be known of a simulated drive, nobody can say."""
        unknown = [m for m in modalities if m not in self.modalities]
        if unknown:
            raise UserError(f"No bound from {unknown}: this run's modalities are {list(self.modalities)}.")
        return None

    def fingerprint(self) -> str:
        """Hash of the generator's version, seed, knobs and specs: of all that determines the samples."""
        return digest(
            generator=GENERATOR,
            seed=self.seed,
            samples=self.samples,
            frames=self.frames,
            modalities={m: spec.model_dump(include={"size", "extent"}) for m, spec in self.modalities.items()},
            targets={t: [spec.own.get("extent"), self.classes[t]] for t, spec in self.targets.items()},
            informativeness=self.informativeness,
            noise=self.noise,
            missing=self.missing,
            **self.shares,
        )

    def prepare(self) -> None:
        """Render or load every modality now, so that later reads, in whatever process, are slices."""
        for name in self.modalities:
            self._all(name)

    def worlds(self, modality: str | None = None) -> Worlds:
        """The drives that this modality shows; None: the true ones."""
        share = 1.0 if modality is None else self.informativeness[modality]
        if share not in self._worlds:
            self._worlds[share] = Worlds(self.seed, self.drives, self.shares, share, self.cache, GENERATOR)
        return self._worlds[share].prepare()

    def _presence(self) -> np.ndarray:
        used = [m for m in MODALITIES if m in self.modalities]
        places = np.array([divmod(i, self.frames) for i in range(self.samples)])
        uniform = np.array([rng.random() for rng in generators(self.seed, places, names.STREAMS["missing"])])
        drawn = draw_presence([self.missing[m] for m in used], uniform)
        return drawn[:, [used.index(m) for m in self.modalities]]

    def _truth(self, name: str) -> list[Any]:
        extent, classes = extent_of(self.targets[name]), self.classes[name]
        make: Any = {
            "perception": lambda w, s, d, f: truths.detection(s, extent, classes),
            "presence": lambda w, s, d, f: truths.presence(s, extent),
            "behaviour": lambda w, s, d, f: truths.trajectories(w.motion, s, f, extent),
            "intention": lambda w, s, d, f: truths.intention(w.scenario, w.motion, s, f, extent),
            "planning": lambda w, s, d, f: truths.plans(w.scenario, w.motion, s, d, f, extent),
        }[name]

        worlds = self.worlds()

        def of(drives: np.ndarray) -> list[Any]:
            world = worlds.block(drives)
            frames = [make(world, world.look(f), drives, f) for f in range(self.frames)]
            return [frames[f][i] for i in range(len(drives)) for f in range(self.frames)]

        return [value for block in in_blocks(self.drives, of) for value in block][: self.samples]

    def _value(self, name: str, index: int) -> Any:
        arrays = self._all(name)
        if KINDS[name] == "points":
            first, last = arrays["ends"][index], arrays["ends"][index + 1]
            return arrays["values"][first:last].copy()
        value = arrays["values"][index]
        return value.astype(np.float32) / 255 if value.dtype == np.uint8 else value.copy()

    def _all(self, name: str) -> Arrays:
        if name not in self._values:
            self._values[name] = self._load(name) if self.cache else self._render(name)
        return self._values[name]

    def _load(self, name: str) -> Arrays:
        spec, count = self.modalities[name], self.samples
        layouts: dict[str, Layout] = {
            "image": {"values": ((count, spec.channels, spec.size, spec.size), np.uint8)},
            "points": {"values": ((None, spec.channels), np.float32), "ends": ((count + 1,), np.int64)},
            "series": {"values": ((count, names.HISTORY, len(odometry.COLUMNS)), np.float32)},
        }
        key = digest(
            generator=GENERATOR, modality=name, seed=self.seed, samples=count, frames=self.frames, size=spec.size,
            extent=list(extent_of(spec)), share=self.informativeness[name], noise=self.noise[name], **self.shares,
        )  # fmt: skip
        return cached(cache_folder() / "driving" / f"{name}-{key}.npz", layouts[spec.kind], lambda: self._render(name))

    def _render(self, name: str) -> Arrays:
        """All samples of one modality, block by block in threads; images in 8 bits."""
        start = time.perf_counter()
        worlds = self.worlds(name)

        def of(drives: np.ndarray) -> list[np.ndarray]:
            world = worlds.block(drives)
            frames = [self._sense(name, world, drives, f) for f in range(self.frames)]
            return [frames[f][i] for i in range(len(drives)) for f in range(self.frames)]

        values = [value for block in in_blocks(self.drives, of) for value in block][: self.samples]
        log.info("Rendered %s of %d samples in %.1f s", name, self.samples, time.perf_counter() - start)
        if KINDS[name] != "points":
            return {"values": np.stack(values)}
        ends = np.concatenate([[0], np.cumsum([len(points) for points in values])])
        return {"values": np.concatenate(values), "ends": ends.astype(np.int64)}

    def _sense(self, name: str, world: World, drives: np.ndarray, frame: int) -> Sequence[np.ndarray] | np.ndarray:
        spec, noise = self.modalities[name], self.noise[name]
        places = np.stack([drives, np.full_like(drives, frame)], 1)
        rngs, scene = generators(self.seed, places, names.STREAMS[name]), world.look(frame)
        if name == "ego":
            return odometry.measure(world.motion, frame, noise, rngs)
        if name == "camera":
            return _bits(camera.render(scene, spec.size, noise, rngs))
        extent = extent_of(spec)
        if name == "map":
            return _bits(chart.render(world.scenario, scene, spec.size, extent, noise, rngs))
        scan = lidar.scan if name == "lidar" else radar.scan
        return scan(scene, extent, noise, rngs)


def _bits(image: np.ndarray) -> np.ndarray:
    """[0, 1] → 8 bits."""
    return np.rint(image * 255).astype(np.uint8)
