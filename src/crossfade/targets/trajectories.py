"""Futures of the other agents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torchmetrics import MetricCollection

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets.base import Scene, Target
from crossfade.targets.birdseye import TRAINING, BirdsEyeHead, between, checked, pack
from crossfade.targets.detection import plane_of
from crossfade.targets.displacement import errors
from crossfade.targets.mean_of import means_of
from crossfade.targets.smooth import basis, scales

IMPOSSIBLE = 1e-6  # p below which a mode that comes true costs no more
METRICS = ("min_ade", "min_fde", "miss_rate", "likeliest_ade", "brier_ade")


class Trajectories(Target):
    """A raw truth is float32 (A, 1 + T, 2): x, y in m of A agents now and at T later moments at `rate` Hz.

    NaN where an agent is not seen. A may be 0. Agents that are not seen now, or outside of `extent`, are left out.

    Every cell of a bird's-eye raster holds M futures and their probabilities, displacements that are polynomials of
    `degree` in time (`smooth`). An agent moves by what the raster says at its place now, linear between the middles of
    the four cells around it (places are given, as in the forecasting benchmarks). The mode k* nearest to the truth
    learns, and is named (Cui et al. 2019, arXiv:1809.10732, eq. 3), δ the displacement over its root mean square in
    training:

        L = mean over agents of  mean_t |δ_k*t − δ_t| − λ log p_k*,    k* = argmin_k mean_t |δ_kt − δ_t|

    Prediction (N, M·(2T + 1), R, R): displacements in m, then probabilities. Metrics: `displacement`.
    """

    main = "brier_ade"
    lower_is_better = METRICS
    form = "array"
    units: ClassVar[Mapping[str, str]] = {metric: "m" for metric in METRICS if metric != "miss_rate"}
    captions: ClassVar[Mapping[str, str]] = {
        "": "Seen from above, ahead is up: the ways that agents took, and those predicted"
    }
    basis: Tensor
    scale: Tensor

    def __init__(
        self,
        spec: TargetSpec,
        fitted: dict[str, Any],
        width: int,
        grid: int,
        upsample: int,
        extent: Sequence[float],
        hidden: int,
        modes: int,
        steps: int,
        rate: float,
        degree: int,
        mode_weight: float,
    ) -> None:
        super().__init__(spec, fitted)
        self.plane = plane_of(spec)
        self.modes, self.steps, self.rate, self.mode_weight = modes, steps, rate, mode_weight
        polynomials = torch.tensor(basis(steps, degree), dtype=torch.float32) * torch.tensor(fitted["coefficients"])
        self.register_buffer("basis", polynomials, persistent=False)  # (T, P)
        self.register_buffer("scale", torch.tensor(fitted["scale"]).view(steps, 1), persistent=False)
        self.coefficients = 2 * polynomials.shape[1]
        self.head = BirdsEyeHead(width, modes * (self.coefficients + 1), grid, upsample, hidden)

    @staticmethod
    def fit(spec: TargetSpec, truths: Sequence[Any]) -> dict[str, Any]:
        known = [
            agents for agents in Trajectories._agents(spec, truths, TRAINING) if agents is not None and len(agents)
        ]
        if not known:
            raise UserError(
                f"target.{spec.name}: no agent within extent={list(spec.own['extent'])} m in the training split. Check "
                "its unit (m), axes (x forward, y left) and extent."
            )
        moved = np.concatenate(known).astype(np.float64)
        moved = moved[:, 1:] - moved[:, :1]
        square = (moved**2).sum(-1)
        seen = np.isfinite(square)
        mean = np.where(seen, square, 0).sum(0) / np.maximum(seen.sum(0), 1) / 2  # of one coordinate
        sizes = np.sqrt(np.mean(scales(moved, spec.own["degree"]) ** 2, 1))
        return {"scale": np.maximum(np.sqrt(mean), 0.1).tolist(), "coefficients": sizes.tolist()}  # m

    @staticmethod
    def encode(spec: TargetSpec, fitted: dict[str, Any], truths: Sequence[Any]) -> Tensor:
        """(N, 1 + most agents, 1 + T, 2): see `birdseye.pack`."""
        return pack(Trajectories._agents(spec, truths), (1 + spec.own["steps"], 2))

    @staticmethod
    def _agents(spec: TargetSpec, truths: Sequence[Any], counted: str = "row") -> list[np.ndarray | None]:
        plane, steps = plane_of(spec), spec.own["steps"]
        found: list[np.ndarray | None] = []
        shape = f"(A, {1 + steps}, 2): x, y (m) now and at {steps} later moments"
        for i, truth in enumerate(truths):
            if truth is None:
                found.append(None)
                continue
            agents = checked(spec.name, f"{counted} {i + 1}", truth, shape, (None, 1 + steps, 2))
            now = torch.from_numpy(agents[:, 0])
            found.append(agents[plane.inside(plane.place(now)).numpy()])
        return found

    def forward(self, representation: Representation) -> Tensor:
        """(B, M·(2P + 1), R, R): coefficients of the polynomials over their scale, then the modes' logits."""
        return self.head(representation)

    def mix(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """Mode by mode: Σ_g w_g·c_g, and log Σ_g w_g·p_g."""
        moves, logits = outputs.split([self.modes * self.coefficients, self.modes], 2)
        share = weight.clamp(min=torch.finfo(weight.dtype).tiny).log()[..., None, None, None]
        mixed = (logits.log_softmax(2) + share).logsumexp(1)
        return torch.cat([(weight[..., None, None, None] * moves).sum(1), mixed], 1)

    def _of_agents(self, raster: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """What a raster (N, M·(2L + 1), R, R) says of the agents: values (N, A, M, L, 2), probabilities (N, A, M)."""
        values = between(raster, self.plane.place(truth[:, 1:, 0]))
        moves, modes = values[..., : -self.modes], values[..., -self.modes :]
        return moves.unflatten(-1, (self.modes, -1, 2)), modes

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        if truth.shape[1] == 1:  # of its shape, not of its values: not one agent in all the samples
            return output.float().sum() * 0
        moves, logits = output.float().split([self.modes * self.coefficients, self.modes], 1)
        coefficients, probability = self._of_agents(torch.cat([moves, logits.softmax(1)], 1), truth)
        moves = self.basis @ coefficients / self.scale
        wanted = (truth[:, 1:, 1:] - truth[:, 1:, :1]) / self.scale
        seen = ~wanted.isnan().any(-1)
        counts = seen.any(-1)
        away = (moves - wanted.nan_to_num(0.0).unsqueeze(2)).abs().sum(-1) * seen.unsqueeze(2)
        each = away.sum(-1) / seen.sum(-1).clamp(min=1).unsqueeze(-1)  # (N, A, M)
        nearest = each.detach().argmin(-1, keepdim=True)
        named = -probability.clamp(min=IMPOSSIBLE).log().gather(-1, nearest).squeeze(-1)
        agent = (each.gather(-1, nearest).squeeze(-1) + self.mode_weight * named) * counts
        return agent.sum() / counts.sum().clamp(min=1)

    def prediction(self, output: Tensor) -> Tensor:
        coefficients, logits = output.float().split([self.modes * self.coefficients, self.modes], 1)
        metres = torch.einsum("tp,nmpaij->nmtaij", self.basis, coefficients.unflatten(1, (self.modes, -1, 2)))
        return torch.cat([metres.flatten(1, 3), logits.softmax(1)], 1)

    def errors(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """`displacement.errors` (N, A, 5) of the agents of each sample; NaN where there is none."""
        if truth.shape[1] == 1:
            return prediction.new_full((len(truth), 1, len(METRICS)), float("nan"))
        moves, probability = self._of_agents(prediction, truth)
        return errors(moves, probability, truth[:, 1:, 1:] - truth[:, 1:, :1])

    def metrics(self) -> MetricCollection:
        return means_of(self.errors, METRICS)

    def resampled(self, prediction: Tensor, truth: Tensor) -> Callable[[np.ndarray], float]:
        each = self.errors(prediction, truth)[..., METRICS.index(self.main)].double()
        total, count = each.nansum(1).numpy(), (~each.isnan()).sum(1).numpy()
        return lambda rows: float(total[rows].sum() / count[rows].sum()) if count[rows].any() else float("nan")

    def chance(self, truth: Tensor) -> Tensor:
        """Every agent stays where it is."""
        raster = torch.zeros(len(truth), self.modes * (2 * self.steps + 1), self.plane.cells, self.plane.cells)
        raster[:, -self.modes :] = 1 / self.modes
        return raster

    def columns(self, prediction: np.ndarray, truth: np.ndarray | None) -> pd.DataFrame:
        """Agents and mean errors in m of each sample; without a truth no agent is given, see `arrays`."""
        name = self.spec.name
        if truth is None:
            return pd.DataFrame({f"{name}.modes": [self.modes] * len(prediction)})
        each = self.errors(torch.from_numpy(prediction), torch.from_numpy(truth))
        count = (~np.isnan(truth[:, 1:, 0, 0])).sum(1)
        table = {f"{name}.agents": np.where(np.isnan(truth[:, 0, 0, 0]), np.nan, count)}
        table |= {f"{name}.{metric}": each[..., i].nanmean(1).numpy() for i, metric in enumerate(METRICS)}
        return pd.DataFrame(table)

    def arrays(self, prediction: np.ndarray) -> dict[str, np.ndarray]:
        """futures (N, R, R, M, T, 2): displacements in m from this cell's middle; probability (N, R, R, M)."""
        places = np.moveaxis(prediction, 1, -1)
        moves, probability = np.split(places, [self.modes * self.steps * 2], axis=-1)
        shape = (*moves.shape[:3], self.modes, self.steps, 2)
        return {"futures": moves.reshape(shape).astype(np.float16), "probability": probability.astype(np.float16)}

    def draw(self, folder: Path, scene: Scene) -> None:
        from crossfade.targets.birdseye_figure import draw_futures

        if scene.truth.shape[1] == 1:
            return  # no agent anywhere
        first = slice(0, 8)
        moves, probability = self._of_agents(scene.prediction[first], scene.truth[first])
        futures = moves + scene.truth[first, 1:, None, :1]
        path = folder / f"{self.spec.name}.png"
        draw_futures(path, scene, self.plane.extent, futures.numpy(), probability.numpy())
