"""Samples of a law that is known (`laws`): hidden bits, each seen by one modality through a linear map and noise."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from crossfade.data.source import Bound, Frame
from crossfade.data.synthetic.cache import digest
from crossfade.data.synthetic.checks import check_modalities, check_targets, check_whole
from crossfade.data.synthetic.draws import Uniforms, choose, generators, normals
from crossfade.data.synthetic.knobs import per_modality
from crossfade.data.synthetic.presence import draw_presence, presence_patterns
from crossfade.errors import UserError, did_you_mean
from crossfade.specs import ModalitySpec, TargetSpec

from .bayes import balanced_accuracy
from .channel import alpha_sd, observed, optimal_alpha
from .laws import LAWS, joint

GENERATOR = 1  # raised with every change of what is drawn
WHOSE = "the known laws"
SPREAD = {"a": 1.0, "b": 1.5, "c": 2.0, "d": 2.5}  # σ of the Gaussian law, times `noise`
CLEAR = 0.25  # σ of the others, times `noise`: a bit is misread with probability Φ(−4) = 3·10⁻⁵


class KnownLaw:
    """`Source` of M = 2 … 4 modalities `a`, `b`, `c`, `d`, tables of F columns, and the target `label` (multiclass).

    (s, y) ~ p of the law over the modalities that the run uses; x_m = (2 s_m − 1)·v_m + σ_m n, n ~ N(0, 1) in all F
    columns, v_m a fixed unit vector (of one column: 1). Sample i depends on `seed`, the law, the modalities and i
    alone; v_m on the modality and its number of columns alone, so that seeds are draws from one law. No units.

    law      one of `laws.LAWS`; `first` in them is the first of the modalities in alphabetical order
    dial     in [0, 1], of law=mixture alone (null: 0.5): the share of samples of xor, the others are of copy
    noise    ≥ 0, times σ = 0.25 (gaussian: 1, 1.5, 2, 2.5 of a, b, c, d); a number, or one per modality
    missing  rate in [0, 1), default 0: modalities go missing independently, never all
    Raises UserError for a law that is not there, a dial without a mixture, and knobs out of range.
    """

    def __init__(
        self,
        modalities: dict[str, ModalitySpec],
        targets: dict[str, TargetSpec],
        seed: int,
        samples: int = 3000,
        law: str = "xor",
        dial: float | None = None,
        noise: float | Mapping[str, float] | None = None,
        missing: float | Mapping[str, float] | None = None,
    ) -> None:
        check_whole({"data.source.samples": (samples, 1), "seed": (seed, 0)})
        check_modalities(modalities, dict.fromkeys(SPREAD, "table"), {}, WHOSE)
        check_targets(targets, {"label": "multiclass"}, WHOSE)
        _check_law(law, dial, len(modalities))
        self.modalities, self.targets = dict(modalities), dict(targets)
        self.names = sorted(modalities)
        self.seed, self.samples = int(seed), int(samples)
        self.law, self.dial = law, 0.5 if dial is None else float(dial)
        noises = per_modality("noise", noise, tuple(SPREAD), WHOSE)
        self.sigma = {m: noises[m] * (SPREAD[m] if law == "gaussian" else CLEAR) for m in self.names}
        self.missing = per_modality("missing", missing, tuple(SPREAD), WHOSE)
        self.joint = joint(law, len(self.names), self.dial)
        self._values: dict[str, np.ndarray] = {}  # modality → (N, F), once drawn
        self._bits: dict[str, np.ndarray] = {}
        self._frame: Frame | None = None

    def frame(self) -> Frame:
        """Ids S00000 …, each a group of its own, presence and truth; no split."""
        if self._frame is None:
            u = Uniforms(generators(self.seed, np.arange(self.samples), 0), 2)
            cell = choose(self.joint.reshape(-1), u.take())
            *bits, label = np.unravel_index(cell, self.joint.shape)
            self._bits = dict(zip(self.names, bits, strict=True))
            present = draw_presence([self.missing[m] for m in self.names], u.take())
            present = present[:, [self.names.index(m) for m in self.modalities]]
            ids = [f"S{i:05d}" for i in range(self.samples)]
            truth: dict[str, Sequence[Any]] = {"label": [str(y) for y in label]}
            known = {name: column for name, column in truth.items() if name in self.targets}
            self._frame = Frame(ids=ids, groups=ids, present=present, truth=known)
        return self._frame

    def read(self, index: int, without: Collection[str] = ()) -> dict[str, Any]:
        """Column → number, of the modalities that sample `index` has."""
        if not 0 <= index < self.samples:
            raise IndexError(f"there is no sample {index}: the source has {self.samples}")
        present = self.frame().present[index]
        return {
            name: dict(zip(self._columns(name), self._seen(name)[index].tolist(), strict=True))
            for name, there in zip(self.modalities, present, strict=True)
            if there and name not in without
        }

    def _seen(self, name: str) -> np.ndarray:
        """x_m of all samples, (N, F)."""
        if name not in self._values:
            size, number = len(self._columns(name)), list(SPREAD).index(name)
            along = np.random.default_rng([size, number]).standard_normal(size)
            along *= np.sign(along[0])  # of one column: x = ±1 + σ n itself
            noise = normals(generators(self.seed, np.arange(self.samples), 1 + number), (size,))
            bit = 2.0 * self._bits[name] - 1.0
            self._values[name] = bit[:, None] * along / np.linalg.norm(along) + self.sigma[name] * noise
        return self._values[name]

    def bayes(self, target: str, modalities: Sequence[str]) -> Bound | None:
        """The best balanced accuracy of the label from `modalities`: Σ_r p(r) Σ_t max_y p(t | y) / C.

        r are the presence patterns, t what is observed of `modalities` in r; balanced, since that is what a run
        reports. Exact without noise; with noise it comes from below, by cells of t (`channel.observed`).
        None for other targets. Raises UserError for a modality that this run does not use.
        """
        unknown = [m for m in modalities if m not in self.modalities]
        if unknown:
            raise UserError(f"No bound from {unknown}: this run's modalities are {list(self.modalities)}.")
        if target != "label":
            return None
        total = 0.0
        for pattern, probability in zip(*presence_patterns([self.missing[m] for m in self.names]), strict=True):
            which = [m for m, there in enumerate(pattern) if there and self.names[m] in modalities]
            if probability > 0:
                total += float(probability) * self.best(which)
        return Bound(total, total, total)

    def best(self, which: Sequence[int]) -> float:
        """The best balanced accuracy from these modalities (numbers in alphabetical order), all present."""
        table = observed(self.joint, which, [self.sigma[m] for m in self.names])
        return balanced_accuracy(table, range(len(which)))

    def best_alpha(self, scales: Mapping[str, float], samples: int) -> dict[str, Bound] | None:
        """The best α_m of z = Σ_m α_m x_m / s_m, and where 95 % of training sets of this size put a learned one.

        `scales` s_m are the standard deviations that the training set's z-scores were divided by. None but for the
        Gaussian law of one column a modality, with noise in each and none missing: there alone it has a closed form.
        """
        sigma = [self.sigma[m] for m in self.names]
        one_each = all(len(self._columns(m)) == 1 for m in self.names)
        if self.law != "gaussian" or not one_each or min(sigma) == 0 or any(self.missing[m] for m in self.names):
            return None
        unit = [scales[m] for m in self.names]
        found = zip(self.names, optimal_alpha(sigma, unit), 1.96 * alpha_sd(sigma, samples, unit), strict=True)
        return {m: Bound(float(a), float(a - reach), float(a + reach)) for m, a, reach in found}

    def fingerprint(self) -> str:
        """Hash of the generator's version, seed and knobs: of all that determines the samples."""
        return digest(
            generator=GENERATOR, seed=self.seed, samples=self.samples, law=self.law, dial=self.dial,
            sigma=self.sigma, missing=self.missing, columns={m: self._columns(m) for m in self.names},
        )  # fmt: skip

    def _columns(self, name: str) -> list[str]:
        column = self.modalities[name].column
        return [column] if isinstance(column, str) else list(column or [f"{name}1"])


def _check_law(law: str, dial: float | None, modalities: int) -> None:
    problems = []
    if law not in LAWS:
        problems.append(f"data.source.law={law!r}:{did_you_mean(str(law), LAWS)} Allowed: {', '.join(LAWS)}.")
    if modalities < 2:
        problems.append(f"task.modalities: a law is of two modalities or more, of {', '.join(SPREAD)}.")
    if dial is not None and law != "mixture":
        problems.append(f"data.source.dial={dial}: only data.source.law=mixture has a dial. Leave it out.")
    elif dial is not None and not 0 <= dial <= 1:
        problems.append(f"data.source.dial={dial} must be in [0, 1].")
    if problems:
        raise UserError(*problems)
