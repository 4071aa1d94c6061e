"""The ego vehicle's way: accuracy, safety, stability and comfort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss
from torchmetrics import MetricCollection

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets import driven_path
from crossfade.targets.base import Scene, Target
from crossfade.targets.birdseye import TRAINING, checked
from crossfade.targets.mean_of import means_of
from crossfade.targets.plan_head import PlanHead
from crossfade.targets.smooth import basis, scales

POSE = ("x", "y", "heading", "time")


class Parts(NamedTuple):
    """An encoded truth taken apart; `has` (N, 2) says whether agents and road are known."""

    waypoints: Tensor  # (N, T, 2)
    pose: Tensor  # (N, 4), counted from the drive's first frame
    drive: Tensor  # (N,)
    frame: Tensor  # (N,)
    has: Tensor  # (N, 2)
    road: Tensor  # (N, R, R)
    agents: Tensor  # (N, A, T, 5)


class Plan(Target):
    """A raw truth is a mapping; what is not known may be left out, but not the waypoints:

      waypoints  (T, 2) x, y in m of the rear axle at T moments at `rate` Hz, in the ego frame of now
      agents     (A, T, 5) x, y, heading, length, width of the others at those moments, NaN where absent
      road       (R, R) raster over `extent`: above 0 where one may drive; row 0 farthest ahead, column 0 leftmost
      pose       (4,) x, y, heading of the vehicle in the world, time in s;  drive, frame  whole numbers

    ŷ = mean + Q·(s ⊙ o): polynomials of `degree` in time (`smooth`) about the training split's mean path, s the scale
    of their coefficients there. With a `grid` of g the run has g × g tokens, and the head reads them in their places.
    Huber loss (δ = 1) on ŷ over the waypoints' standard deviation.

    Metrics, all the lower the better. accuracy_l2: |ŷ_t − y_t| in m averaged over the path, accuracy_l2_1s …: at that
    second. safety_collision, safety_off_road: share of samples in which the planned vehicle's box overlaps an agent
    of the same moment, or the road's edge, of those in which the true path does not (Hu et al. 2022, ST-P3,
    arXiv:2207.07601, section 4). stability_frames: m between the plans of consecutive frames at the same moment;
    stability_noise: m that it moves under noise of 0.05 sd (points: 5 cm) on all inputs. comfort_jerk (m/s³),
    comfort_lateral (m/s²): mean of the paths' peaks.
    """

    main = "accuracy_l2"
    form = "json"
    captions: ClassVar[Mapping[str, str]] = {
        "": "Seen from above, ahead is up: the way that was driven, and the planned one"
    }
    jitter: ClassVar[float] = 0.05
    basis: Tensor
    mean: Tensor
    sd: Tensor

    def __init__(
        self,
        spec: TargetSpec,
        fitted: dict[str, Any],
        width: int,
        steps: int,
        rate: float,
        degree: int,
        extent: Sequence[float],
        road: int,
        ego_length: float,
        ego_width: float,
        overhang: float,
        hidden: int,
        grid: int | None,
    ) -> None:
        super().__init__(spec, fitted)
        self.steps, self.rate, self.road = steps, rate, road
        x_min, x_max, y_min, y_max = extent
        self.extent = (float(x_min), float(x_max), float(y_min), float(y_max))
        self.ego = {"length": ego_length, "width": ego_width, "overhang": overhang}
        polynomials = torch.tensor(basis(steps, degree), dtype=torch.float32)
        self.head = PlanHead(width, polynomials.shape[1], hidden, grid)
        scaled = polynomials.unsqueeze(-1) * torch.tensor(fitted["coefficients"])
        self.register_buffer("basis", scaled, persistent=False)  # (T, P, 2)
        self.register_buffer("mean", torch.tensor(fitted["mean"]), persistent=False)
        self.register_buffer("sd", torch.tensor(fitted["sd"]), persistent=False)
        seconds = range(1, int(steps / rate) + 1)
        self.seconds = {f"accuracy_l2_{s}s": round(s * rate) - 1 for s in seconds}
        self.names = ("accuracy_l2", *self.seconds, "safety_collision", "safety_off_road", "stability_frames")
        self.names += ("comfort_jerk", "comfort_lateral")

    @classmethod
    def direction(cls, metric: str) -> str:
        return "min"

    @classmethod
    def unit(cls, metric: str, spec: TargetSpec) -> str:
        units = {"accuracy": "m", "stability": "m", "comfort_jerk": "m/s³", "comfort_lateral": "m/s²"}
        return next((unit for name, unit in units.items() if metric.startswith(name)), "")

    @staticmethod
    def fit(spec: TargetSpec, truths: Sequence[Any]) -> dict[str, Any]:
        known = [_waypoints(spec, f"{TRAINING} {i + 1}", truth) for i, truth in enumerate(truths) if truth is not None]
        if len(known) < 2:
            raise UserError(f"target.{spec.name}: fewer than two known paths in the training split.")
        paths = np.stack(known).astype(np.float64)
        mean = paths.mean(0)
        sizes = scales(paths - mean, spec.own["degree"])
        return {
            "mean": mean.tolist(),
            "sd": np.maximum(paths.std(0), 0.05).tolist(),
            "coefficients": sizes.tolist(),
        }  # m

    @staticmethod
    def encode(spec: TargetSpec, fitted: dict[str, Any], truths: Sequence[Any]) -> Tensor:
        """(N, 2T + 4 + 2 + 2 + R² + 5·A·T): `parts` one after another, NaN throughout where unknown."""
        steps, side = spec.own["steps"], spec.own["road"]
        rows: list[np.ndarray | None] = []
        first: dict[Any, tuple[int, np.ndarray]] = {}  # drive → its number, and its first pose
        for i, truth in enumerate(truths):
            if truth is None:
                rows.append(None)
                continue
            place = f"row {i + 1}"
            waypoints = _waypoints(spec, place, truth)
            agents, road = truth.get("agents"), truth.get("road")
            has = np.array([agents is not None, road is not None], dtype=np.float32)
            agents = _agents(spec, place, np.zeros((0, steps, 5)) if agents is None else agents)
            pose = _pose(spec, place, truth.get("pose"))
            drive, origin = first.setdefault(truth.get("drive"), (len(first), pose))
            pose = pose - origin * [1, 1, 0, 1]  # world coordinates and clocks do not fit a float32
            frame = np.nan if truth.get("frame") is None or truth.get("drive") is None else truth["frame"]
            fields = [waypoints.ravel(), pose, [drive, frame], has, _road(spec, place, road).ravel()]
            rows.append(np.concatenate([*fields, agents.ravel()]).astype(np.float32))
        least = 2 * steps + len(POSE) + 4 + side**2
        out = np.full((len(rows), max((len(r) for r in rows if r is not None), default=least)), np.nan, np.float32)
        for row, values in zip(out, rows, strict=True):
            if values is not None:
                row[: len(values)] = values
        return torch.from_numpy(out)

    def parts(self, truth: Tensor) -> Parts:
        """An encoded truth (N, …) taken apart."""
        steps, side = self.steps, self.road
        waypoints, pose, number, has, road, agents = truth.split(
            [2 * steps, len(POSE), 2, 2, side**2, truth.shape[1] - 2 * steps - len(POSE) - 4 - side**2], 1
        )
        return Parts(
            waypoints.unflatten(1, (steps, 2)), pose, number[:, 0], number[:, 1], has, road.unflatten(1, (side, side)),
            agents.reshape(len(truth), -1, steps, 5),
        )  # fmt: skip

    def forward(self, representation: Representation) -> Tensor:
        """(B, P, 2): coefficients over their scale."""
        return self.head(representation)

    def mix(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """Σ_g w_g·o_g."""
        return (outputs * weight[..., None, None]).sum(1)

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        waypoints = truth[:, : 2 * self.steps].unflatten(1, (self.steps, 2))
        known = self.known(truth)
        wanted = waypoints.nan_to_num(0.0) / self.sd
        each = smooth_l1_loss(self.prediction(output) / self.sd, wanted, reduction="none").mean((1, 2))
        return (each * known).sum() / known.sum().clamp(min=1)

    def prediction(self, output: Tensor) -> Tensor:
        return torch.einsum("tpa,npa->nta", self.basis, output.float()) + self.mean

    def values(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """Every metric of each sample (N, len(names)); NaN where it is not defined."""
        of = self.parts(truth)
        away = (prediction - of.waypoints).norm(dim=-1)
        planned, driven = (driven_path.footprints(path, **self.ego) for path in (prediction, of.waypoints))
        found = [away.mean(1), *(away[:, step] for step in self.seconds.values())]
        hit, hit_anyway = (driven_path.collides(boxes, of.agents) for boxes in (planned, driven))
        off, off_anyway = (driven_path.leaves(boxes, of.road, self.extent) for boxes in (planned, driven))
        nan = torch.full_like(found[0], float("nan"))
        found.append(torch.where((of.has[:, 0] == 1) & ~hit_anyway, hit.float(), nan))
        found.append(torch.where((of.has[:, 1] == 1) & ~off_anyway, off.float(), nan))
        found.append(driven_path.between_frames(prediction, of.pose, of.drive, of.frame, self.rate))
        return torch.cat([torch.stack(found, 1), driven_path.comfort(prediction, self.rate)], 1)

    def metrics(self) -> MetricCollection:
        return means_of(self.values, self.names)

    def per_sample(self, prediction: Tensor, truth: Tensor) -> Tensor:
        return (prediction - self.parts(truth).waypoints).norm(dim=-1).mean(1)

    def stability(self, prediction: Tensor, jittered: Tensor) -> dict[str, float]:
        """Mean distance in m between the plans of a sample with and without noise on its inputs."""
        return {"stability_noise": float((prediction - jittered).norm(dim=-1).mean())}

    def chance(self, truth: Tensor) -> Tensor:
        """The training split's mean path."""
        return self.mean.expand(len(truth), -1, -1)

    def references(self, truth: Tensor) -> dict[str, Tensor]:
        """The path as it was driven: what comfort and the agreement of frames amount to there."""
        return {"as driven": self.parts(truth).waypoints}

    def columns(self, prediction: np.ndarray, truth: np.ndarray | None) -> pd.DataFrame:
        name = self.spec.name
        table: dict[str, Any] = {}
        for t in range(self.steps):
            for c, axis in enumerate("xy"):
                if truth is not None:
                    table[f"{name}.truth[{axis} {(t + 1) / self.rate:g}s]"] = truth[:, 2 * t + c]
                table[f"{name}.predicted[{axis} {(t + 1) / self.rate:g}s]"] = prediction[:, t, c]
        if truth is not None:
            values = self.values(torch.from_numpy(prediction), torch.from_numpy(truth)).numpy()
            known = self.known(torch.from_numpy(truth)).numpy()
            table |= {f"{name}.{metric}": np.where(known, values[:, i], np.nan) for i, metric in enumerate(self.names)}
        return pd.DataFrame(table)

    def draw(self, folder: Path, scene: Scene) -> None:
        from crossfade.targets.birdseye_figure import draw_plans

        of = Parts(*(part[:8] for part in self.parts(scene.truth)))
        driven, planned = (driven_path.footprints(p[:8], **self.ego).numpy() for p in (of.waypoints, scene.prediction))
        path = folder / f"{self.spec.name}.png"
        draw_plans(path, scene, self.extent, driven, planned, of.agents.numpy(), of.road.numpy())


def _waypoints(spec: TargetSpec, place: str, truth: Any) -> np.ndarray:
    if not isinstance(truth, Mapping) or truth.get("waypoints") is None:
        raise UserError(
            f"target.{spec.name}: the truth of {place} has no waypoints. It must be a mapping with waypoints, "
            "and agents, road, pose, drive and frame where they are known."
        )
    steps = spec.own["steps"]
    path = checked(spec.name, place, truth["waypoints"], f"({steps}, 2): x, y in m", (steps, 2))
    if np.isnan(path).any():
        raise UserError(
            f"target.{spec.name}: the waypoints of {place} hold NaN. A path that is not known to its end is "
            "unknown: leave that sample's truth empty."
        )
    return path


def _agents(spec: TargetSpec, place: str, agents: Any) -> np.ndarray:
    steps = spec.own["steps"]
    agents = np.asarray(agents, dtype=np.float32)
    agents = agents.reshape(0, steps, 5) if not agents.size else agents
    return checked(spec.name, place, agents, f"(A, {steps}, 5): x, y, heading, length, width", (None, steps, 5))


def _pose(spec: TargetSpec, place: str, pose: Any) -> np.ndarray:
    """x, y, heading, time (4,) in float64; NaN where it is not known."""
    if pose is None:
        return np.full(len(POSE), np.nan)
    checked(spec.name, place, pose, f"({len(POSE)},) for its pose: {', '.join(POSE)}", (len(POSE),))
    return np.asarray(pose, dtype=np.float64)


def _road(spec: TargetSpec, place: str, road: Any) -> np.ndarray:
    """A raster at `road` × `road` cells, by the nearest cell; NaN where there is none."""
    side = spec.own["road"]
    if road is None:
        return np.full((side, side), np.nan, dtype=np.float32)
    road = checked(spec.name, place, road, "(R, R) for its road", (None, None))
    rows, columns = ((np.arange(side) + 0.5) * n / side for n in road.shape)
    return road[rows.astype(int)[:, None], columns.astype(int)]
