"""The load of the next hours with its uncertainty, and what heating can make of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus
from torchmetrics import Metric, MetricCollection

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets import forecast_scores as scores
from crossfade.targets.base import Scene, Target, full, linear_head
from crossfade.targets.forecast_truth import pack, unpack
from crossfade.targets.heating import Plan, Rules, plan
from crossfade.targets.thermal import STEPS

NARROWEST = 0.05  # of the load's sd: the least gap between two quantiles that a head starts with


class Forecast(Target):
    """A raw truth is {"load": (T,) kW hourly means of the next T hours, and where known "occupied": (T,) share of the
    hour in which somebody is at home, "outdoor": (T,) °C, "indoor": °C at the start, "resistance": K/kW, "capacity":
    kWh/K, "heater": kW, the largest heat}; NaN or no entry where unknown; the loads alone will do.

    Per hour, from the training split's quantiles Q and the load's sd s of that split (o: outputs of W·LN(r) + b):

        median = Q_½ + s·o_½,   q_{k+1} − q_k = (Q_{k+1} − Q_k)·softplus(o_k) / ln 2,   P(home) = σ(o_h + logit share)

    so that quantiles never cross and zeros are what the training split says. L = pinball / s + w·cross-entropy of the
    occupancy (w = `occupancy_weight`), over the known hours.

    Prediction (N, T, Q + 1): quantiles in kW, then P(home); (N, T, Q) where the training split knows no occupancy.
    The heating schedule and what it is compared with: `heating`, `thermal`.
    """

    main = "mae_kwh"
    lower_is_better = ("mae_kwh", "pinball_kwh", "discomfort_kh")
    form = "json"
    captions: ClassVar[Mapping[str, str]] = {
        "forecast": "The load of the next hours: bands, median and what then came",
        "schedule": "The heating schedule that comes of a forecast, beside a thermostat; grey: somebody is at home",
    }
    levels: Tensor
    median: Tensor
    gaps: Tensor
    share: Tensor

    def __init__(
        self,
        spec: TargetSpec,
        fitted: dict[str, Any],
        width: int,
        hours: int = 24,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        occupancy_weight: float = 0.5,
        setpoint: float = 21.0,
        setback: float = 16.0,
        tolerance: float = 0.5,
    ) -> None:
        super().__init__(spec, fitted)
        self.hours, self.quantiles, self.weight = hours, list(quantiles), occupancy_weight
        self.rules = Rules(setpoint, setback, tolerance)
        self.middle = self.quantiles.index(0.5)
        self.scale: float = fitted["sd"]
        usual = torch.tensor(fitted["quantiles"])  # (T, Q)
        for name, value in (
            ("levels", torch.tensor(self.quantiles)),
            ("median", usual[:, self.middle]),
            ("gaps", usual.diff(dim=-1).clamp(min=NARROWEST * self.scale)),
            ("share", torch.tensor(fitted["occupied"] or [])),
        ):
            self.register_buffer(name, value, persistent=False)
        self.occupancy = fitted["occupied"] is not None
        self.head = linear_head(width, hours * (len(self.quantiles) + self.occupancy))

    @staticmethod
    def fit(spec: TargetSpec, truths: Sequence[Any]) -> dict[str, Any]:
        own = spec.own
        levels, hours = own["quantiles"], own["hours"]
        if not own["setback"] <= own["setpoint"]:
            raise UserError(
                f"target.{spec.name}.setback={own['setback']}: must not be above "
                f"target.{spec.name}.setpoint={own['setpoint']} °C."
            )
        day = unpack(pack(spec.name, hours, truths), hours)
        load = day.load.double().numpy()
        known = load[~np.isnan(load)]
        if (~np.isnan(load)).any(1).sum() < 2 or not known.std():
            raise UserError(
                f"target.{spec.name}: the training split has {len(known)} known hours of load"
                f"{', all the same' if len(known) > 1 else ''}; nothing can be learned. Check its column and the split."
            )
        # an hour that is never known is taken for any other
        each = [hour[~np.isnan(hour)] if not np.isnan(hour).all() else known for hour in load.T]
        occupied = day.occupied.double().numpy()
        seen = ~np.isnan(occupied)
        share = np.nansum(occupied, 0) / np.maximum(seen.sum(0), 1)
        return {
            "quantiles": [np.quantile(hour, levels).tolist() for hour in each],
            "sd": float(known.std()),
            "occupied": np.where(seen.any(0), share, 0.5).clip(0.02, 0.98).tolist() if seen.any() else None,
            "heated": bool(day.heated.any()),
        }

    @staticmethod
    def encode(spec: TargetSpec, fitted: dict[str, Any], truths: Sequence[Any]) -> Tensor:
        return pack(spec.name, spec.own["hours"], truths)

    def forward(self, representation: Representation) -> Tensor:
        """(B, D) → (B, T, Q), or (B, T, Q + 1)."""
        return self.head(representation.pooled).unflatten(-1, (self.hours, -1))

    def mix(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """The output whose quantiles and probability are the branches' weighted means (Vincent's average)."""
        w = weight.view(*weight.shape, 1, 1)
        many = len(self.quantiles)
        moved = [(w * outputs[..., i : i + 1]).sum(1) for i in range(many)]
        for i in range(many):
            if i != self.middle:
                gap = (w * softplus(outputs[..., i : i + 1])).sum(1).clamp(min=1e-20)
                moved[i] = gap + torch.log(-torch.expm1(-gap))  # the inverse of softplus
        if self.occupancy:
            logit = outputs[..., -1] + self.share.logit()
            share = weight.clamp(min=torch.finfo(weight.dtype).tiny).log().unsqueeze(-1)
            home, away = ((logsigmoid(x) + share).logsumexp(1) for x in (logit, -logit))
            moved.append((home - away - self.share.logit()).unsqueeze(-1))
        return torch.cat(moved, -1)

    def loads(self, output: Tensor) -> Tensor:
        """Outputs → quantiles in kW, (B, T, Q)."""
        output = full(output)
        middle, many = self.middle, len(self.quantiles)
        gap = [
            self.gaps[:, i - (i > middle)] * softplus(output[..., i]) / math.log(2) for i in range(many) if i != middle
        ]
        # below the median the gaps are taken off, from it outwards; above they are added
        found = [self.median + self.scale * output[..., middle]]
        for i in range(middle - 1, -1, -1):
            found.insert(0, found[0] - gap[i])
        for i in range(middle, many - 1):
            found.append(found[-1] + gap[i])
        return torch.stack(found, -1)

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        day = unpack(truth, self.hours)
        known = ~day.load.isnan()
        each = scores.pinball(self.loads(output), day.load.nan_to_num(0.0), self.levels) / self.scale
        loss = (each * known).sum() / known.sum().clamp(min=1)
        if self.occupancy:
            known = ~day.occupied.isnan()
            logit = full(output[..., -1]) + self.share.logit()
            each = binary_cross_entropy_with_logits(logit, day.occupied.nan_to_num(0.0), reduction="none")
            loss = loss + self.weight * (each * known).sum() / known.sum().clamp(min=1)
        return loss

    def prediction(self, output: Tensor) -> Tensor:
        loads = self.loads(output)
        if not self.occupancy:
            return loads
        return torch.cat([loads, (output[..., -1:].float() + self.share.logit().unsqueeze(-1)).sigmoid()], -1)

    def known(self, truth: Tensor) -> Tensor:
        """Some hour of the load."""
        return ~truth[:, : self.hours].isnan().all(1)

    def metrics(self) -> MetricCollection:
        c: dict[str, Any] = {"levels": self.quantiles, "hours": self.hours}
        found: dict[str, Metric] = {
            "mae_kwh": scores.DayMean(scores.absolute_error, **c),
            "pinball_kwh": scores.DayMean(scores.pinball, **c),
            "coverage": scores.DayMean(scores.covered, **c),
        }
        if self.occupancy:
            found["occupancy_auroc"] = scores.OccupancyAUROC(self.hours)
        if self.heated:
            found["energy_saved"] = scores.HeatingScore(self.hours, self.rules, "energy")
            found["discomfort_kh"] = scores.HeatingScore(self.hours, self.rules, "discomfort")
        return MetricCollection(found, compute_groups=False)  # type: ignore[arg-type]

    @property
    def heated(self) -> bool:
        """Whether schedules can be judged: the training split knows the houses."""
        return bool(self.occupancy and self.fitted["heated"])

    def per_sample(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """Mean absolute error of the median over the known hours, in kWh."""
        return scores.DayMean(scores.absolute_error, self.quantiles, self.hours).each(prediction, truth)

    def chance(self, truth: Tensor) -> Tensor:
        """The training split's quantiles and share at home of each hour, for every sample."""
        usual = torch.tensor(self.fitted["quantiles"])
        if self.occupancy:
            usual = torch.cat([usual, self.share.cpu().unsqueeze(-1)], -1)
        return usual.expand(len(truth), -1, -1)

    def references(self, truth: Tensor) -> dict[str, Tensor]:
        """Where schedules are judged: what a forecast without error would save, without any discomfort."""
        if not self.heated:
            return {}
        day, usual = unpack(truth, self.hours), self.chance(truth)
        load = torch.where(day.load.isnan(), usual[..., self.middle], day.load)
        home = torch.where(day.occupied.isnan(), usual[..., -1], (day.occupied > 0).float())
        loads = load.unsqueeze(-1).expand(-1, -1, len(self.quantiles))
        return {"foresight": torch.cat([loads, home.unsqueeze(-1)], -1)}

    def columns(self, prediction: np.ndarray, truth: np.ndarray | None) -> pd.DataFrame:
        """kWh of the hours in all (the sum of the medians); `schedule` is a JSON list of the set-points in °C, hour by
        hour, where the house is known."""
        name = self.spec.name
        table: dict[str, Any] = {}
        if truth is not None:
            table[f"{name}.truth_kwh"] = truth[:, : self.hours].sum(1)
        table[f"{name}.predicted_kwh"] = prediction[..., self.middle].sum(1)
        if truth is not None:
            known = torch.from_numpy(truth)
            there, made = self._plan(torch.from_numpy(prediction), known)
            if made is not None:
                rows = np.flatnonzero(there.numpy())
                hourly = made.floor[:, 1:].unflatten(-1, (self.hours, STEPS)).amax(-1)
                written = [json.dumps([round(x, 1) for x in row]) for row in hourly.tolist()]
                for column, values in (
                    ("heat_kwh", made.used.numpy()),
                    ("thermostat_kwh", made.usual.numpy()),
                    ("discomfort_kh", made.discomfort.numpy()),
                    ("schedule", written),
                ):
                    table[f"{name}.{column}"] = pd.Series(values, index=rows).reindex(range(len(truth)))
        return pd.DataFrame(table)

    def _plan(self, prediction: Tensor, truth: Tensor) -> tuple[Tensor, Plan | None]:
        """The samples (N,) whose house is known, and their schedules."""
        day = unpack(truth, self.hours)
        there = day.heated & self.known(truth)
        if not self.heated or not there.any():
            return there, None
        house = type(day.house)(*(x[there] for x in day.house))
        return there, plan(prediction[there, :, -1], day.occupied[there], house, self.rules)

    def arrays(self, prediction: np.ndarray) -> dict[str, np.ndarray]:
        """kW by quantile and hour, (N, T) each, such as "q0.1"; and "occupied", P(home)."""
        found = {f"q{level:g}": prediction[..., i] for i, level in enumerate(self.quantiles)}
        return {**found, "occupied": prediction[..., -1]} if self.occupancy else found

    def draw(self, folder: Path, scene: Scene) -> None:
        """The forecast with its bands, <target>_forecast.png, and the schedule, <target>_schedule.png."""
        from crossfade.targets.forecast_figures import draw_forecast, draw_schedule

        name, known = self.spec.name, self.known(scene.truth)
        ids = [id for id, there in zip(scene.ids, known.tolist(), strict=True) if there]
        day = unpack(scene.truth[known], self.hours)
        loads = scene.prediction[known][..., : len(self.quantiles)]
        if ids:
            draw_forecast(loads.numpy(), day.load.numpy(), self.quantiles, ids, folder / f"{name}_forecast.png")
        there, made = self._plan(scene.prediction, scene.truth)
        if made is not None:
            ids = [id for id, here in zip(scene.ids, there.tolist(), strict=True) if here]
            occupied = unpack(scene.truth[there], self.hours).occupied
            draw_schedule(made, occupied.numpy(), self.rules, ids, folder / f"{name}_schedule.png")
