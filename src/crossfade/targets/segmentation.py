"""A class for every pixel: what to cut out, and what not to touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, interpolate, one_hot
from torchmetrics import MetricCollection

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets import overlap
from crossfade.targets.base import Scene, Target
from crossfade.targets.decoder import GridDecoder, check_size
from crossfade.targets.mean_of import means_of_each

THRESHOLDS = torch.arange(0.05, 1.0, 0.05)  # tried for the map that looks at no input


class Segmentation(Target):
    """A raw truth is a mask, uint8 (H, W): 0 background, k = classes[k − 1]. p = softmax over them at each of size ×
    size pixels, decoded from the tokens of a grid; a mask of another size is brought to this one, by majority.

    L = cross-entropy + 1 − 1/C Σ_c (2 Σ p_c t_c + 1) / (Σ p_c + Σ t_c + 1), the sums over all pixels of the batch (soft
    Dice: Milletari et al. 2016, arXiv:1606.04797, section 3; with 1 for empty masks).

    Metrics, of the likeliest class of each pixel, are means over the samples. Per class `dice` and `hd95_mm`: a sample
    counts where the class is in its truth or its prediction; predicted or true alone it has Dice 0 and the image's
    diagonal in mm. `missed_lesions`: none of the lesion's pixels found. `false_alarms`: a lesion seen where there is
    none, of samples without one (where the training split has such). `critical_touched`: share of the critical
    structure that lies within `margin` mm of the predicted lesion.
    """

    main = "dice"
    form = "image"
    captions: ClassVar[Mapping[str, str]] = {
        "overlay": "Outlines of truth and prediction on the images that lie in their plane"
    }
    logits = True

    def __init__(
        self,
        spec: TargetSpec,
        fitted: dict[str, Any],
        width: int,
        grid: int = 8,
        size: int = 96,
        spacing: float = 1.0,
        lesion: str | None = None,
        critical: str | None = None,
        margin: float = 0.0,
    ) -> None:
        super().__init__(spec, fitted)
        self.classes: list[str] = fitted["classes"]
        self.size, self.spacing, self.margin = size, spacing, margin
        self.lesion = 1 if lesion is None else self.classes.index(lesion) + 1
        self.critical = None if critical is None else self.classes.index(critical) + 1
        self.head = GridDecoder(width, grid, size, len(self.classes) + 1)

    @classmethod
    def direction(cls, metric: str) -> str:
        return "min" if metric.startswith(("hd95", "critical", "missed", "false")) else "max"

    @staticmethod
    def fit(spec: TargetSpec, truths: Sequence[Any]) -> dict[str, Any]:
        """Classes, whether some masks have no lesion, and the map that looks at no input: per class the pixels whose
        share of the training masks is above the threshold with the best mean Dice on them."""
        classes = _check(spec)
        masks = Segmentation.encode(spec, {"classes": classes}, [t for t in truths if t is not None])
        absent = [c for k, c in enumerate(classes, 1) if not (masks == k).any()]
        if absent:
            raise UserError(
                f"target.{spec.name}: no mask of the training split holds {', '.join(map(repr, absent))}. "
                f"Leave it out of target.{spec.name}.classes, check the masks' values, or split otherwise."
            )
        usual = torch.zeros(masks.shape[1:], dtype=torch.int8)
        for k in range(len(classes), 0, -1):
            usual[_usual(masks == k)] = k
        lesion = classes.index(spec.own["lesion"] or classes[0]) + 1
        healthy = bool((~(masks == lesion).flatten(1).any(1)).any())
        return {"classes": classes, "usual": usual.tolist(), "healthy": healthy}

    @staticmethod
    def encode(spec: TargetSpec, fitted: dict[str, Any], truths: Sequence[Any]) -> Tensor:
        """int8 (N, size, size), −1 where unknown. Raises UserError for a mask of other shape or values."""
        size, classes = spec.own["size"], len(fitted["classes"])
        encoded = torch.full((len(truths), size, size), -1, dtype=torch.int8)
        for i, truth in enumerate(truths):
            if truth is None:
                continue
            mask = np.asarray(truth)
            if mask.ndim != 2 or mask.min() < 0 or mask.max() > classes or (mask != mask.round()).any():
                raise UserError(
                    f"target.{spec.name}: the mask of row {i + 1} has the shape {mask.shape} and values from "
                    f"{mask.min():g} to {mask.max():g}. Needed are (height, width) and whole numbers, 0 for "
                    f"background, 1 to {classes} for {', '.join(fitted['classes'])}. "
                    f"Mend the file or target.{spec.name}.classes."
                )
            encoded[i] = _resized(torch.from_numpy(mask.astype(np.int64)), size, classes)
        return encoded

    @staticmethod
    def lacking(fitted: dict[str, Any], truth: Tensor) -> list[str]:
        return [c for k, c in enumerate(fitted["classes"], 1) if not (truth == k).any()]

    def forward(self, representation: Representation) -> Tensor:
        """Tokens (B, K, D) → scores (B, 1 + C, size, size)."""
        return self.head(representation)

    def mix(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """log Σ_g w_g·softmax(o_g), pixel by pixel."""
        share = weight.clamp(min=torch.finfo(weight.dtype).tiny).log()[..., None, None, None]
        return (outputs.log_softmax(2) + share).logsumexp(1)

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        known = self.known(truth).to(output.dtype)[:, None, None]
        label = truth.long().clamp(min=0)
        each = cross_entropy(output.float(), label, reduction="none") * known
        entropy = each.sum() / known.sum().clamp(min=1) / label[0].numel()
        p = output.float().softmax(1) * known.unsqueeze(1)
        t = one_hot(label, output.shape[1]).movedim(-1, 1) * known.unsqueeze(1)
        overlaps = (2 * (p * t).sum((0, 2, 3)) + 1) / (p.sum((0, 2, 3)) + t.sum((0, 2, 3)) + 1)
        return entropy + 1 - overlaps[1:].mean()

    def prediction(self, output: Tensor) -> Tensor:
        return output.float().softmax(1)

    def metrics(self) -> MetricCollection:
        measures: dict[str, Any] = {"dice": self.per_sample}
        for what, measure in (("dice", self._dice), ("hd95_mm", self._hausdorff)):
            for k, name in enumerate(self.classes, 1):
                alone = len(self.classes) == 1
                measures[what if alone else f"{what}_{name.replace(' ', '_')}"] = partial(measure, k)
        if self.critical is not None:
            measures["critical_touched"] = partial(self._touched, self.critical)
        measures["missed_lesions"] = self._missed
        if self.fitted["healthy"]:
            measures["false_alarms"] = self._false_alarm
        return means_of_each(measures)

    def per_sample(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """Dice, (N,): the mean over the classes that are in a sample's truth or prediction."""
        return torch.stack([self._dice(k, prediction, truth) for k in range(1, len(self.classes) + 1)]).nanmean(0)

    def _pair(self, k: int, prediction: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        return prediction.argmax(1) == k, truth == k

    def _dice(self, k: int, prediction: Tensor, truth: Tensor) -> Tensor:
        return overlap.dice(*self._pair(k, prediction, truth))

    def _hausdorff(self, k: int, prediction: Tensor, truth: Tensor) -> Tensor:
        return overlap.hausdorff95(*self._pair(k, prediction, truth), self.spacing)

    def _touched(self, critical: int, prediction: Tensor, truth: Tensor) -> Tensor:
        return overlap.touched(truth == critical, prediction.argmax(1) == self.lesion, self.margin, self.spacing)

    def _missed(self, prediction: Tensor, truth: Tensor) -> Tensor:
        return overlap.missed(*self._pair(self.lesion, prediction, truth))

    def _false_alarm(self, prediction: Tensor, truth: Tensor) -> Tensor:
        return overlap.false_alarm(*self._pair(self.lesion, prediction, truth))

    def chance(self, truth: Tensor) -> Tensor:
        """The pixels that are usually of a class in the training split (see `fit`), for every sample."""
        return self._certain(torch.tensor(self.fitted["usual"]).expand(len(truth), -1, -1))

    def references(self, truth: Tensor) -> dict[str, Tensor]:
        """What the true outline itself would touch: a resection can do no better by seeing more."""
        return {"true outline": self._certain(truth.clamp(min=0))}

    def _certain(self, mask: Tensor) -> Tensor:
        return one_hot(mask.long(), len(self.classes) + 1).movedim(-1, 1).float()

    def columns(self, prediction: np.ndarray, truth: np.ndarray | None) -> pd.DataFrame:
        """Per class the area in mm², predicted and true, and per sample what the metrics are made of."""
        name, area = self.spec.name, self.spacing**2
        mask, table = prediction.argmax(1), {}
        p, t = torch.from_numpy(prediction), None if truth is None else torch.from_numpy(truth)
        for k, label in enumerate(self.classes, 1):
            table[f"{name}.area({label})"] = (mask == k).sum((1, 2)) * area
            if t is not None:
                unknown = ~self.known(t)
                true = (t == k).sum((1, 2)) * area
                found = {"true_area": true, "dice": self._dice(k, p, t), "hd95_mm": self._hausdorff(k, p, t)}
                for what, values in found.items():
                    table[f"{name}.{what}({label})"] = values.float().masked_fill(unknown, float("nan")).numpy()
        if t is not None and self.critical is not None:
            table[f"{name}.critical_touched"] = self._touched(self.critical, p, t).numpy()
        return pd.DataFrame(table)

    def arrays(self, prediction: np.ndarray) -> dict[str, np.ndarray]:
        """The predicted masks, uint8 (N, size, size)."""
        return {"mask": prediction.argmax(1).astype(np.uint8)}

    def draw(self, folder: Path, scene: Scene) -> None:
        """<name>_overlay.png: outlines of truth and prediction, and the margin, on the images of their plane."""
        from crossfade.targets.overlay import draw_overlay

        draw_overlay(self, scene, folder / f"{self.spec.name}_overlay.png")


def _check(spec: TargetSpec) -> list[str]:
    """The classes; UserError where they are not named, or the own fields do not go together."""
    name, classes = spec.name, spec.classes
    check_size(spec)
    if not classes:
        raise UserError(
            f"target.{name}.classes: a mask holds numbers; name what 1, 2, … stand for, as in "
            f"target.{name}.classes=[lesion,vessel]."
        )
    for field in ("lesion", "critical"):
        if spec.own[field] is not None and spec.own[field] not in classes:
            raise UserError(
                f"target.{name}.{field}={spec.own[field]}: not among target.{name}.classes: {', '.join(classes)}."
            )
    return list(classes)


def _resized(mask: Tensor, size: int, classes: int) -> Tensor:
    """(H, W) → (size, size): of each pixel the class that covers most of it."""
    if mask.shape == (size, size):
        return mask
    share = one_hot(mask, classes + 1).movedim(-1, 0).float()
    return interpolate(share[None], (size, size), mode="bilinear", antialias=True)[0].argmax(0)


def _usual(masks: Tensor) -> Tensor:
    """The pixels of a class (N, H, W) that it mostly has: above the share with the best mean Dice."""
    share = masks.float().mean(0)
    there = masks[masks.flatten(1).any(1)]
    guesses = [share > threshold * share.max() for threshold in THRESHOLDS]
    scores = [overlap.dice(guess.expand_as(there), there).mean() for guess in guesses]
    return guesses[int(torch.stack(scores).argmax())]
