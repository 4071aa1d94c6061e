"""A yes-or-no alarm: how sure, how soon, and how often in vain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid
from torchmetrics import MetricCollection

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets import alarm_scores as scores
from crossfade.targets.base import Scene, Target, full, linear_head

NAN = float("nan")


class Alarm(Target):
    """A raw truth is {"intruder": 0 | 1, "episode": int, "since_s": float}, or 0 or 1 alone.

    `episode`: consecutive windows of one stretch of recording share it (none given: each window its own); `since_s`:
    seconds from the intrusion's onset to the window's end, NaN without an intruder. p = σ(w·LN(r) + b), binary
    cross-entropy. A sample is one window, a decision is made every `period_s` seconds.

    Truth (N, 3): intruder, number of the episode, s. Prediction (N,): p. The threshold of `false_alarms_per_day`,
    `time_to_detection_s` and `missed_episodes` is that at which `detection` of the intruder's windows are found
    (`alarm_scores`); it stands in the metrics as `threshold`.
    """

    main = "auroc"
    lower_is_better = ("false_alarms_per_day", "time_to_detection_s", "missed_episodes")
    form = "json"
    captions: ClassVar[Mapping[str, str]] = {
        "alarms": "Left: what finding more intruders costs in false alarms. Right: scores from the onset on"
    }
    logits = True
    positive_weight: Tensor

    def __init__(
        self,
        spec: TargetSpec,
        fitted: dict[str, Any],
        width: int,
        detection: float = 0.95,
        period_s: float = 10.0,
        class_weights: str = "none",
    ) -> None:
        super().__init__(spec, fitted)
        self.detection, self.period_s = detection, period_s
        self.head = linear_head(width, 1)
        share = fitted["share"]
        positive = (1 - share) / share if class_weights == "balanced" else 1.0
        self.register_buffer("positive_weight", torch.tensor(positive), persistent=False)

    @staticmethod
    def fit(spec: TargetSpec, truths: Sequence[Any]) -> dict[str, Any]:
        intruder = [window[0] for window in _windows(spec, truths) if window is not None]
        if not 0 < sum(intruder) < len(intruder):
            raise UserError(
                f"target.{spec.name}: {int(sum(intruder))} of {len(intruder)} known windows of the training split hold "
                "an intruder; some must and some must not. Check the target's column and the split."
            )
        return {"share": sum(intruder) / len(intruder)}

    @staticmethod
    def encode(spec: TargetSpec, fitted: dict[str, Any], truths: Sequence[Any]) -> Tensor:
        windows = _windows(spec, truths)
        named = sorted({w[1] for w in windows if w is not None and w[1] is not None})
        number = {episode: i for i, episode in enumerate(named)}  # float32 holds no large ones
        rows = []
        for i, window in enumerate(windows):
            if window is None:
                rows.append([NAN, NAN, NAN])
            else:
                intruder, episode, since = window
                rows.append([intruder, float(len(named) + i if episode is None else number[episode]), since])
        return torch.tensor(rows, dtype=torch.float32).view(len(rows), 3)

    @staticmethod
    def lacking(fitted: dict[str, Any], truth: Tensor) -> list[str]:
        return [name for name, value in (("intruder", 1), ("no intruder", 0)) if not (truth[:, 0] == value).any()]

    def forward(self, representation: Representation) -> Tensor:
        """(B, D) → logits (B,)."""
        return self.head(representation.pooled).squeeze(-1)

    def mix(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """logit of Σ_g w_g·σ(o_g), in logs."""
        share = weight.clamp(min=torch.finfo(weight.dtype).tiny).log()
        return (logsigmoid(outputs) + share).logsumexp(1) - (logsigmoid(-outputs) + share).logsumexp(1)

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        wanted = truth[:, 0]
        known = ~wanted.isnan()
        each = binary_cross_entropy_with_logits(
            full(output), wanted.nan_to_num(0.0), pos_weight=self.positive_weight, reduction="none"
        )
        return (each * known).sum() / known.sum().clamp(min=1)

    def prediction(self, output: Tensor) -> Tensor:
        return output.float().sigmoid()

    def metrics(self) -> MetricCollection:
        c: dict[str, Any] = {"detection": self.detection, "period_s": self.period_s}
        return MetricCollection(
            {
                "auroc": scores.AUROC(**c),
                "false_alarms_per_day": scores.FalseAlarms(**c),
                "time_to_detection_s": scores.TimeToDetection(**c),
                "missed_episodes": scores.MissedEpisodes(**c),
                "threshold": scores.Threshold(**c),
            }
        )

    def chance(self, truth: Tensor) -> Tensor:
        """The training split's share of intruders, for every window."""
        return torch.full((len(truth),), float(self.fitted["share"]))

    def columns(self, prediction: np.ndarray, truth: np.ndarray | None) -> pd.DataFrame:
        name = self.spec.name
        table: dict[str, Any] = {}
        if truth is not None:
            for i, field in enumerate(("truth", "episode", "since_s")):
                table[f"{name}.{field}"] = truth[:, i] if i == 2 else pd.array(truth[:, i], dtype="Int64")
        table[f"{name}.score"] = prediction
        return pd.DataFrame(table)

    def draw(self, folder: Path, scene: Scene) -> None:
        """Detection against false alarms, and scores from the onset on: <target>_alarms.png."""
        from crossfade.targets.alarm_figure import draw_alarms

        known = self.known(scene.truth)
        score, truth = scene.prediction[known], scene.truth[known]
        if 0 < (truth[:, 0] == 1).sum() < len(truth):
            draw_alarms(score, truth, self.detection, self.period_s, folder / f"{self.spec.name}_alarms.png")


def _windows(spec: TargetSpec, truths: Sequence[Any]) -> list[tuple[float, int | None, float] | None]:
    """(intruder, episode, since_s) of every window."""
    windows: list[tuple[float, int | None, float] | None] = []
    for truth in truths:
        if truth is None:
            windows.append(None)
            continue
        given = truth if isinstance(truth, Mapping) else {"intruder": truth}
        intruder, episode, since = (given.get(key) for key in ("intruder", "episode", "since_s"))
        if intruder not in (0, 1):
            raise UserError(
                f'target.{spec.name}: the truth {truth!r} has no 0 or 1 for "intruder". Write {{"intruder": 1, '
                '"episode": 3, "since_s": 4.5}, or 0 or 1 alone.'
            )
        windows.append(
            (
                float(intruder),
                None if episode is None else int(episode),
                NAN if since is None or intruder == 0 else float(since),
            )
        )
    return windows
