"""The built-in patients: one hidden state each, rendered by the physics of every modality.

    diagnosis c ~ uniform,   evidence e_m ~ p(e_m | c) (`tables`),   x_m = render_m(e_m, anatomy, noise)

Anatomy, age, sex and noise are independent of c and of every e_m. So all that any x says of c it says through
the evidences, and the accuracy of the best guess from the evidences, which is a finite sum (`bound`), is an
upper bound for every model of the rendered data.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from crossfade.data.source import Bound, Frame
from crossfade.data.synthetic.cache import cache_folder, cached, digest
from crossfade.data.synthetic.checks import check_modalities, check_targets, check_whole
from crossfade.data.synthetic.draws import Uniforms, choose
from crossfade.data.synthetic.knobs import per_modality
from crossfade.data.synthetic.presence import draw_presence
from crossfade.data.synthetic.rendering import in_blocks
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

from . import anatomy, ct, mri, note, planes, ultrasound, vitals
from .bound import accuracy_with_missing
from .checks import CHANNELS, KINDS, check_dense, table_columns
from .checks import TARGETS as TARGET_KINDS
from .draws import generators
from .tables import DIAGNOSES, FINDINGS, MODALITIES, PRIOR, likelihood, patterns

log = logging.getLogger(__name__)

GENERATOR = 6  # raised with every change of what is rendered; part of the cache's key
WHOSE = "the built-in patients"


@dataclass(frozen=True)
class State:
    """The hidden state of a batch of patients: indices of diagnosis and evidence, one uniform for the presence,
    and who the patient is."""

    diagnosis: np.ndarray  # (B,)
    evidence: dict[str, np.ndarray]  # modality → (B,)
    presence: np.ndarray  # (B,) on [0, 1)
    person: list[tuple[float, str, str]]  # age, sex, smoking


class SyntheticPatients:
    """`Source` of patients with one focal liver lesion; six equally likely diagnoses.

    Modalities (those asked for are rendered, at `ModalitySpec.size`): `ct` (1, H, W) HU, `mri` (2, H, W) T1- and
    T2-weighted signal, `ultrasound` (1, H, W) dB in [−60, 0], `note` text, `vitals` table (units in
    `vitals.UNITS`). Targets: `diagnosis` (multiclass), `findings` (multilabel, all modalities' findings), `guidance`
    (segmentation: lesion and a portal branch, at the target's size) and `image_fusion` (CT and T2-weighted MRI in
    [0, 1]; unknown where the run uses one of them and the patient lacks it).
    Patient i depends on `seed` and i alone, and is the same whatever `samples`, order or processes.

    Knobs, a number for all modalities or a mapping for some (the others keep the default):
      informativeness  λ in [0, 1], default 1: p(e | c) ← λ p(e | c) + (1 − λ) p(e); 0 leaves chance
      noise            ≥ 0, default 1: multiplies the physical noise (quanta, Rician, speckle, irrelevant facts of
                       the note, spread of the measures); the bound does not depend on it
      missing          rate in [0, 1), default 0: modalities go missing independently, and where all that the run
                       uses would be missing, the draw is repeated
    Raises UserError for knobs out of range and modalities or targets that these patients do not have.
    """

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int,
        samples: int = 2000,
        informativeness: float | Mapping[str, float] | None = None,
        noise: float | Mapping[str, float] | None = None,
        missing: float | Mapping[str, float] | None = None,
        cache: bool = True,
    ) -> None:
        check_whole({"data.source.samples": (samples, 1), "seed": (seed, 0)})
        check_modalities(modalities, KINDS, CHANNELS, WHOSE)
        check_targets(targets, TARGET_KINDS, WHOSE)
        check_dense(targets, modalities)
        self.modalities, self.targets = dict(modalities), dict(targets)
        self.seed, self.samples, self.cache = int(seed), int(samples), cache
        self.informativeness = per_modality("informativeness", informativeness, MODALITIES, WHOSE)
        self.noise = per_modality("noise", noise, MODALITIES, WHOSE)
        self.missing = per_modality("missing", missing, MODALITIES, WHOSE)
        self._tables = {m: likelihood(m, self.informativeness[m]) for m in MODALITIES}
        self._columns = table_columns(modalities["vitals"]) if "vitals" in modalities else []
        self._values: dict[str, Any] = {}  # modality → one value per patient, once read
        self._frame: Frame | None = None

    def frame(self) -> Frame:
        """Ids P00000 …, one group per patient, presence and truth; no split: whoever uses it splits by group."""
        if self._frame is None:
            state = self.state(np.arange(self.samples))
            ids = [f"P{i:05d}" for i in range(self.samples)]
            truth: dict[str, Sequence[Any]] = {}
            if "diagnosis" in self.targets:
                truth["diagnosis"] = [DIAGNOSES[c] for c in state.diagnosis]
            if "findings" in self.targets:
                truth["findings"] = [self._findings(state, i) for i in range(self.samples)]
            present = self._presence(state)
            if "guidance" in self.targets:  # these two as functions: rendered when first asked for
                truth["guidance"] = [partial(self._mask, i) for i in range(self.samples)]
            if "image_fusion" in self.targets:
                columns = [column for column, name in enumerate(self.modalities) if name in planes.SOURCES]
                truth["image_fusion"] = [
                    partial(self._shown, i) if present[i, columns].all() else None for i in range(self.samples)
                ]
            self._frame = Frame(ids=ids, groups=ids, present=present, truth=truth)
        return self._frame

    def read(self, index: int, without: Collection[str] = ()) -> dict[str, Any]:
        """Raw values of the modalities that patient `index` has; the first call renders or loads them all."""
        if not 0 <= index < self.samples:
            raise IndexError(f"there is no patient {index}: the source has {self.samples}")
        present = self.frame().present[index]
        return {
            name: self._value(name, index)
            for name, there in zip(self.modalities, present, strict=True)
            if there and name not in without
        }

    def bayes(self, target: str, modalities: Sequence[str]) -> Bound | None:
        """Bayes-optimal accuracy of the diagnosis from the evidence of `modalities`, exactly; else None.

        Σ_r p(r) Σ_e max_c p(c) Π_{m ∈ r ∩ modalities} p(e_m | c), over presence patterns r of the run's
        modalities. An upper bound for the rendered data (data processing); a patient without any of
        `modalities` counts with chance. Raises UserError for a modality that this run does not use.
        """
        unknown = [m for m in modalities if m not in self.modalities]
        if unknown:
            raise UserError(f"No bound from {unknown}: this run's modalities are {list(self.modalities)}.")
        if target != "diagnosis":
            return None
        missing = {m: self.missing[m] for m in MODALITIES if m in self.modalities}
        value = accuracy_with_missing(PRIOR, self._tables, missing, modalities)
        return Bound(value, value, value)

    def fingerprint(self) -> str:
        """Hash of the generator's version, seed, knobs and specs: of all that determines the samples."""
        return digest(
            generator=GENERATOR,
            seed=self.seed,
            patients=self.samples,
            modalities={m: spec.model_dump(include={"size", "column"}) for m, spec in self.modalities.items()},
            informativeness=self.informativeness,
            noise=self.noise,
            missing=self.missing,
        )

    def prepare(self) -> None:
        """Render or load every modality now, so that later reads, in whatever process, are slices."""
        for name in self.modalities:
            self._all(name)

    def state(self, indices: np.ndarray) -> State:
        """The hidden state of these patients, whatever is rendered."""
        rngs = generators(self.seed, indices, "state")
        u = Uniforms(rngs, len(MODALITIES) + 2)
        diagnosis = choose(PRIOR[None], u.take())
        evidence = {m: choose(self._tables[m][diagnosis], u.take()) for m in MODALITIES}
        return State(diagnosis, evidence, u.take(), [vitals.person(rng) for rng in rngs])

    def _presence(self, state: State) -> np.ndarray:
        names = [m for m in MODALITIES if m in self.modalities]
        drawn = draw_presence([self.missing[m] for m in names], state.presence)
        return drawn[:, [names.index(m) for m in self.modalities]]

    @staticmethod
    def _findings(state: State, i: int) -> list[str]:
        seen = ((m, patterns(m)[state.evidence[m][i]]) for m in MODALITIES)
        return [FINDINGS[m][pattern] for m, pattern in seen if pattern in FINDINGS[m]]

    def _value(self, name: str, index: int) -> Any:
        value = self._all(name)[index]
        if name in CHANNELS:
            return value.astype(np.float32)
        return dict(value) if name == "vitals" else value

    def _all(self, name: str) -> Any:
        if name not in self._values:
            make = {"note": self._notes, "vitals": self._vitals}.get(name)
            self._values[name] = make() if make else self._images(name, self._size(name))
        return self._values[name]

    def _size(self, name: str) -> int:
        """Of an image in pixels; of one that only the fused image is made of, the target's."""
        return self.modalities[name].size if name in self.modalities else self.targets["image_fusion"].own["size"]

    def _mask(self, index: int) -> np.ndarray:
        if "guidance" not in self._values:
            size = self.targets["guidance"].own["size"]

            def make() -> np.ndarray:
                return self._in_blocks("guidance", lambda block: planes.masks(self.seed, block, size))

            self._values["guidance"] = self._kept("guidance", (self.samples, size, size), make, np.uint8, size=size)
        return self._values["guidance"][index]

    def _shown(self, index: int) -> np.ndarray:
        return planes.shown({name: self._all(name)[index] for name in planes.SOURCES})

    def _notes(self) -> list[str]:
        indices = np.arange(self.samples)
        state, names = self.state(indices), patterns("note")
        return [
            note.write(names[state.evidence["note"][i]], *state.person[i][:2], self.noise["note"], rng)
            for i, rng in enumerate(generators(self.seed, indices, "note"))
        ]

    def _vitals(self) -> list[dict[str, float | str | None]]:
        indices = np.arange(self.samples)
        state, names = self.state(indices), patterns("vitals")
        rows = []
        for i, rng in enumerate(generators(self.seed, indices, "vitals")):
            row = vitals.measure(names[state.evidence["vitals"][i]], *state.person[i], self.noise["vitals"], rng)
            rows.append({column: row[column] for column in self._columns})
        return rows

    def _images(self, name: str, size: int) -> np.ndarray:
        """All patients' images of one modality, float16 (N, C, H, W)."""
        shape = (self.samples, CHANNELS[name], size, size)
        knobs = {"informativeness": self.informativeness[name], "noise": self.noise[name]}

        def make() -> np.ndarray:
            return self._in_blocks(name, lambda block: self._render(name, size, block))

        return self._kept(name, shape, make, np.float16, size=size, **knobs)

    def _kept(
        self, name: str, shape: tuple[int, ...], make: Callable[[], np.ndarray], dtype: type, **what: Any
    ) -> np.ndarray:
        """What `make` gives, or what an earlier run kept of it; `what` determines it, beside seed and number."""
        if not self.cache:
            return make()
        key = digest(generator=GENERATOR, modality=name, seed=self.seed, patients=self.samples, **what)
        path = cache_folder() / "medical" / f"{name}-{key}.npz"
        return cached(path, {"images": (shape, dtype)}, lambda: {"images": make()})["images"]

    def _in_blocks(self, name: str, render: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Of all patients, block by block in threads."""
        start = time.perf_counter()
        images = np.concatenate(in_blocks(self.samples, render))
        log.info("Rendered %s of %d patients in %.1f s", name, self.samples, time.perf_counter() - start)
        return images[: self.samples]

    def _render(self, name: str, size: int, indices: np.ndarray) -> np.ndarray:
        noise = self.noise[name]
        evidence = self.state(indices).evidence[name]
        u = Uniforms(generators(self.seed, indices, "anatomy"), anatomy.ANATOMY_UNIFORMS)
        rngs = generators(self.seed, indices, name)
        if name == "ultrasound":
            image = ultrasound.render(evidence, anatomy.draw_lesion(u).radius, size, noise, rngs)
        else:
            render = ct.render if name == "ct" else mri.render
            image = render(anatomy.axial_slice(u, size), evidence, noise, rngs)
        return image.astype(np.float16)
