"""Boxes of objects in bird's-eye view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, max_pool2d, one_hot
from torchmetrics import MetricCollection

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.plane import Plane
from crossfade.specs import TargetSpec
from crossfade.targets.average_precision import Curves, DetectionDetails, MeanAveragePrecision, match
from crossfade.targets.base import Scene, Target
from crossfade.targets.birdseye import TRAINING, BirdsEyeHead, checked, gathered, pack

BOX = 8  # class, x, y, length, width, heading, vx, vy: a box of the truth
FIELDS = ("score", "class", "x", "y", "length", "width", "heading", "vx", "vy")  # a predicted one
PRIOR = 0.02  # first probability of a centre in a cell: most cells are empty (Lin et al. 2017, arXiv:1708.02002, 4.1)
SHOWN = 0.3  # least score of a box that is drawn or counted in a table


class Detection(Target):
    """A raw truth is float32 (n, 8): class number, x, y, length, width in m, heading in rad, vx, vy in m/s.

    An empty scene is (0, 8), NaN a heading or velocity that is not known. Boxes outside of `extent` are left out.

    A heatmap of centres per class, and per cell the offset of the centre, log length and width, sine and cosine of
    the heading, and velocity: CenterNet (Zhou et al. 2019, arXiv:1904.07850, eq. 1–3) in bird's-eye view (CenterPoint,
    Yin et al. 2021, arXiv:2006.11275, section 4). With Y the Gaussian heatmap of the truth, p = σ(output), n boxes:

        L = −1/n Σ { (1 − p)² log p where Y = 1;  (1 − Y)⁴ p² log(1 − p) elsewhere } + box_weight/n Σ |ô − o|₁

    Prediction (N, `boxes`, 9): score, class, x, y, length, width, heading, vx, vy of the highest peaks, a peak being
    the largest of its 3 × 3 cells. Averages of precision: `average_precision`.
    """

    main = "mean_ap"
    lower_is_better = ("position_error", "velocity_error")
    form = "array"
    units: ClassVar[Mapping[str, str]] = {"position_error": "m", "velocity_error": "m/s"}
    captions: ClassVar[Mapping[str, str]] = {
        "": "Seen from above, ahead is up: boxes true (full) and predicted (dotted, with their score)"
    }
    resamples = 500
    scale: Tensor
    usual: Tensor

    def __init__(
        self,
        spec: TargetSpec,
        fitted: dict[str, Any],
        width: int,
        grid: int,
        upsample: int,
        extent: Sequence[float],
        hidden: int,
        boxes: int,
        sigma: float,
        box_weight: float,
    ) -> None:
        super().__init__(spec, fitted)
        self.classes: list[str] = fitted["classes"]
        self.plane = plane_of(spec)
        self.boxes, self.sigma, self.box_weight = boxes, sigma, box_weight
        head = BirdsEyeHead(width, len(self.classes) + BOX, grid, upsample, hidden)
        assert head.out.bias is not None
        torch.nn.init.constant_(head.out.bias[: len(self.classes)], float(np.log(PRIOR / (1 - PRIOR))))
        self.head = head
        # what the outputs are multiplied with and added to: offset, log size, sin, cos, velocity
        scale = [1.0, 1.0, *fitted["log_size_sd"], 1.0, 1.0, fitted["speed"], fitted["speed"]]
        self.register_buffer("scale", torch.tensor(scale), persistent=False)
        self.register_buffer("usual", torch.tensor([0.5, 0.5, *fitted["log_size"], *[0.0] * 4]), persistent=False)

    @staticmethod
    def fit(spec: TargetSpec, truths: Sequence[Any]) -> dict[str, Any]:
        if not spec.classes:
            raise UserError(
                f"target.{spec.name}.classes: detection needs the names of its classes, in the order of their numbers "
                f"in the truth, e.g. target.{spec.name}.classes=[pedestrian,vehicle,sign]."
            )
        scenes = Detection._boxes(spec, truths, TRAINING)
        known = [scene for scene in scenes if scene is not None]
        every = np.concatenate(known).astype(np.float64) if known else np.zeros((0, BOX))
        if not len(every):
            raise UserError(
                f"target.{spec.name}: no box within extent={list(spec.own['extent'])} m in the training split. Check "
                "its unit (m), axes (x forward, y left) and extent."
            )
        size = np.log(every[:, 3:5])
        speed = np.hypot(every[:, 6], every[:, 7])
        return {
            "classes": list(spec.classes),
            "log_size": size.mean(0).tolist(),  # of m
            "log_size_sd": np.maximum(size.std(0), 0.1).tolist(),
            "speed": max(float(np.sqrt(np.nanmean(speed**2))) if np.isfinite(speed).any() else 0.0, 1.0),  # m/s
            "usual": _usual(spec, every, len(known)),
        }

    @staticmethod
    def encode(spec: TargetSpec, fitted: dict[str, Any], truths: Sequence[Any]) -> Tensor:
        """(N, 1 + most boxes, 8): see `birdseye.pack`."""
        return pack(Detection._boxes(spec, truths), (BOX,))

    @staticmethod
    def _boxes(spec: TargetSpec, truths: Sequence[Any], counted: str = "row") -> list[np.ndarray | None]:
        """Each truth checked, without its boxes outside of the plane."""
        plane, classes = plane_of(spec), spec.classes or []
        found: list[np.ndarray | None] = []
        for i, truth in enumerate(truths):
            if truth is None:
                found.append(None)
                continue
            shape = f"(n, {BOX}): class, x, y, length, width (m), heading (rad), vx, vy (m/s)"
            boxes = checked(spec.name, f"{counted} {i + 1}", truth, shape, (None, BOX))
            if not (np.isin(boxes[:, 0], range(len(classes))).all() and (boxes[:, 3:5] > 0).all()):
                raise UserError(
                    f"target.{spec.name}: the truth of {counted} {i + 1} holds a class number outside of 0 to "
                    f"{len(classes) - 1} ({', '.join(classes)}), or a length or width that is not above 0 m. Its "
                    f"columns are {shape}."
                )
            inside = plane.inside(plane.place(torch.from_numpy(boxes[:, 1:3]))).numpy()
            found.append(boxes[inside])
        return found

    @staticmethod
    def lacking(fitted: dict[str, Any], truth: Tensor) -> list[str]:
        return [c for i, c in enumerate(fitted["classes"]) if not (truth[:, 1:, 0] == i).any()]

    def forward(self, representation: Representation) -> Tensor:
        """(B, C + 8, R, R): logits of the centres; offset, log size, sine, cosine, velocity, standardised."""
        return self.head(representation)

    def mix(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """logit Σ_g w_g·p_g for the centres; the boxes by the branches that see one: weights w_g·max_c p_g."""
        classes = len(self.classes)
        logits, boxes = outputs[:, :, :classes], outputs[:, :, classes:]
        share = weight.clamp(min=torch.finfo(weight.dtype).tiny).log()[..., None, None, None]
        mixed = (logsigmoid(logits) + share).logsumexp(1) - (logsigmoid(-logits) + share).logsumexp(1)
        sees = (logsigmoid(logits).amax(2, keepdim=True) + share).softmax(1)
        return torch.cat([mixed, (sees * boxes).sum(1)], 1)

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        output, boxes = output.float(), truth[:, 1:]
        known, real = self.known(truth), ~boxes[..., 0].isnan()
        logits, values = output[:, : len(self.classes)], output[:, len(self.classes) :]
        number = real.sum().clamp(min=1)

        heat = self._heatmap(boxes, real)
        p = logits.sigmoid()
        centre = (1 - p).square() * logsigmoid(logits)
        empty = (1 - heat).pow(4) * p.square() * logsigmoid(-logits)
        focal = -torch.where(heat == 1, centre, empty) * known.view(-1, 1, 1, 1)

        place = self.plane.place(boxes[..., 1:3])
        wanted = self._wanted(boxes, place)
        counts = real.unsqueeze(-1) & ~wanted.isnan()
        at = gathered(values, self.plane.index(place))
        distance = (at - wanted.nan_to_num(0.0)).abs() * counts
        return (focal.sum() + self.box_weight * distance.sum()) / number

    def _wanted(self, boxes: Tensor, place: Tensor) -> Tensor:
        """What the outputs in a box's cell ought to be, (B, n, 8)."""
        heading = boxes[..., 5:6]
        raw = [place - self.plane.cell(place), boxes[..., 3:5].log(), heading.sin(), heading.cos(), boxes[..., 6:8]]
        return (torch.cat(raw, -1) - self.usual) / self.scale

    def _heatmap(self, boxes: Tensor, real: Tensor) -> Tensor:
        """Y (B, C, R, R) = max over the boxes of exp(−|cell − centre's cell|² / 2σ²); 1 in the centre's cell."""
        cells = self.plane.cells
        if not boxes.shape[1]:
            return boxes.new_zeros(len(boxes), len(self.classes), cells, cells)
        at = torch.arange(cells, device=boxes.device)
        centre = self.plane.cell(self.plane.place(boxes[..., 1:3]))
        along = (-(at - centre[..., None]).square() / (2 * self.sigma**2)).exp()  # (B, n, 2, R): rows, columns
        blob = along[:, :, 0, :, None] * along[:, :, 1, None, :] * real[..., None, None]
        label = one_hot(boxes[..., 0].nan_to_num(0.0).long(), len(self.classes)).to(blob.dtype)
        return torch.stack([(blob * label[..., c, None, None]).amax(1) for c in range(len(self.classes))], 1)

    def prediction(self, output: Tensor) -> Tensor:
        classes, cells = len(self.classes), self.plane.cells
        p = output[:, :classes].float().sigmoid()
        peaks = torch.where(p == max_pool2d(p, 3, 1, 1), p, 0.0).flatten(1)
        score, best = peaks.topk(min(self.boxes, peaks.shape[1]), dim=1)
        cell = best % cells**2
        values = gathered(output[:, classes:].float(), cell) * self.scale + self.usual
        corner = torch.stack([cell // cells, cell % cells], -1).float()
        size = values[..., 2:4].clamp(-3, 5).exp()  # 5 cm to 150 m
        heading = torch.atan2(values[..., 4], values[..., 5])
        parts = [score, best // cells**2, self.plane.metres(corner + values[..., :2]), size, heading, values[..., 6:8]]
        return torch.cat([part.float().reshape(*score.shape, -1) for part in parts], -1)

    def metrics(self) -> MetricCollection:
        return MetricCollection(
            {"mean_ap": MeanAveragePrecision(self.classes), "details": DetectionDetails(self.classes)},
            compute_groups=False,
        )

    def resampled(self, prediction: Tensor, truth: Tensor) -> Callable[[np.ndarray], float]:
        curves = Curves(match(prediction.numpy(), truth[:, 1:].numpy(), len(self.classes)))
        return lambda rows: curves.mean(np.bincount(rows, minlength=len(truth)).astype(np.float64))

    def chance(self, truth: Tensor) -> Tensor:
        """The places where the training split has most boxes, with their share of the scenes as score."""
        usual = torch.tensor(self.fitted["usual"])[: self.boxes]
        out = torch.zeros(len(truth), min(self.boxes, len(self.classes) * self.plane.cells**2), len(FIELDS))
        out[:, :, 4:6] = self.usual[2:4].exp()
        out[:, : len(usual)] = usual
        return out

    def columns(self, prediction: np.ndarray, truth: np.ndarray | None) -> pd.DataFrame:
        """Per class the number of boxes, those predicted with a score of at least 0.3."""
        name = self.spec.name
        table = {}
        for c, label in enumerate(self.classes):
            if truth is not None:
                count = (truth[:, 1:, 0] == c).sum(1)
                table[f"{name}.truth[{label}]"] = np.where(np.isnan(truth[:, 0, 0]), np.nan, count)
            of = prediction[..., 1] == c
            table[f"{name}.predicted[{label}]"] = (of & (prediction[..., 0] >= SHOWN)).sum(1)
            table[f"{name}.p({label})"] = np.where(of, prediction[..., 0], 0).max(1)
        return pd.DataFrame(table)

    def arrays(self, prediction: np.ndarray) -> dict[str, np.ndarray]:
        """boxes (N, K, 9): score, class number, x, y, length, width, heading, vx, vy."""
        return {"boxes": prediction}

    def draw(self, folder: Path, scene: Scene) -> None:
        from crossfade.targets.birdseye_figure import draw_boxes

        draw_boxes(folder / f"{self.spec.name}.png", scene, self.plane.extent, self.classes, SHOWN)


def plane_of(spec: TargetSpec) -> Plane:
    """The plane of a target's raster, from its own fields `extent`, `grid` and `upsample`."""
    own = spec.own
    x_min, x_max, y_min, y_max = (float(v) for v in own["extent"])
    if not (x_min < x_max and y_min < y_max):
        raise UserError(
            f"target.{spec.name}.extent={list(own['extent'])}: must be [x_min, x_max, y_min, y_max] in m, each min "
            "below its max."
        )
    return Plane((x_min, x_max, y_min, y_max), own["grid"] * own["upsample"])


def _usual(spec: TargetSpec, every: np.ndarray, scenes: int) -> list[list[float]]:
    """Predicted boxes that look at no input: per class and cell the share of scenes, the most frequent first."""
    plane = plane_of(spec)
    cell = plane.index(plane.place(torch.from_numpy(every[:, 1:3]))).numpy()
    keys, group, counts = np.unique(every[:, 0] * plane.cells**2 + cell, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")[: spec.own["boxes"]]
    found = []
    for k in order.tolist():
        mean = np.nan_to_num(every[group == k].mean(0))
        found.append([min(float(counts[k]) / scenes, 1.0), float(keys[k] // plane.cells**2), *mean[1:].tolist()])
    return found
