"""One of C classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import softplus
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)

from crossfade.errors import UserError, did_you_mean
from crossfade.specs import TargetSpec
from crossfade.targets.base import Target, class_entropy, combined_opinions, first_rows, full, linear_head, some
from crossfade.targets.class_scores import class_scores
from crossfade.targets.scores import BalancedAccuracy, ClassAUROC


class MultiClass(Target):
    """A raw truth is one label. p = softmax(W·LN(r) + b), cross-entropy; class weights and label smoothing if asked.

    Without `layer_norm` p = softmax(W·r + b): a sum of the modalities stays one to the end.

    Balanced accuracy is the mean recall of the classes that occur; AUROC is one against the rest, averaged;
    calibration error is the expected one over 15 equal bins (Guo et al. 2017, arXiv:1706.04599, eq. 3).
    """

    main = "balanced_accuracy"
    lower_is_better = ("calibration_error",)
    form = "label"
    logits = True
    class_weights: Tensor

    def __init__(
        self,
        spec: TargetSpec,
        fitted: dict[str, Any],
        width: int,
        label_smoothing: float = 0.0,
        class_weights: str = "none",
        layer_norm: bool = True,
    ) -> None:
        super().__init__(spec, fitted)
        self.classes: list[str] = fitted["classes"]
        self.label_smoothing: float | Tensor = label_smoothing
        self.head = linear_head(width, len(self.classes), layer_norm)
        weights = torch.ones(len(self.classes))
        if class_weights == "balanced":
            counts = torch.tensor(fitted["counts"], dtype=torch.float32)
            weights = counts.sum() / (len(counts) * counts.clamp(min=1))
        self.register_buffer("class_weights", weights, persistent=False)

    @staticmethod
    def fit(spec: TargetSpec, truths: Sequence[Any]) -> dict[str, Any]:
        counts = Counter(str(t) for t in truths if t is not None)
        classes = spec.classes or sorted(counts)
        if len(classes) < 2:
            raise UserError(
                f"target.{spec.name}: the training split holds {len(classes)} class(es) "
                f"({', '.join(classes) or 'none'}), at least two are needed. Check the target's column and the split."
            )
        empty = [c for c in classes if not counts[c]]
        if empty:
            raise UserError(
                f"target.{spec.name}: no sample of class {', '.join(map(repr, empty))} in the training split. "
                f"Leave it out of target.{spec.name}.classes, or split otherwise (data.split, seed, data.fold)."
            )
        return {"classes": list(classes), "counts": [counts[c] for c in classes]}

    @staticmethod
    def encode(spec: TargetSpec, fitted: dict[str, Any], truths: Sequence[Any]) -> Tensor:
        number = {c: i for i, c in enumerate(fitted["classes"])}
        unseen = first_rows(((i, str(t)) for i, t in enumerate(truths) if t is not None), number)
        if unseen:
            raise UserError(
                f"target.{spec.name}: label(s) {unseen} unseen in training, where the {len(number)} classes are "
                f"{some(fitted['classes'])}.{did_you_mean(unseen.split(chr(39))[1], number)} "
                "Mend the labels, split otherwise, or drop those samples (numbers to be predicted: kind: regression)."
            )
        return torch.tensor([-1 if t is None else number[str(t)] for t in truths])

    @staticmethod
    def lacking(fitted: dict[str, Any], truth: Tensor) -> list[str]:
        return [c for i, c in enumerate(fitted["classes"]) if not (truth == i).any()]

    def mix(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """log Σ_g w_g·softmax(o_g)."""
        share = weight.clamp(min=torch.finfo(weight.dtype).tiny).log().unsqueeze(-1)
        return (outputs.log_softmax(-1) + share).logsumexp(1)

    def believe(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """Each class's evidence is softplus(o)."""
        return combined_opinions(softplus(full(outputs)), weight)

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        known = truth >= 0
        label = truth.clamp(min=0)
        each = class_entropy(output, label, self.label_smoothing)
        each = each * self.class_weights[label] * known
        return each.sum() / known.sum().clamp(min=1)

    def prediction(self, output: Tensor) -> Tensor:
        return output.float().softmax(-1)

    def metrics(self) -> MetricCollection:
        c: dict[str, Any] = {"num_classes": len(self.classes), "ignore_index": -1, "validate_args": False}
        return MetricCollection(
            {
                "accuracy": MulticlassAccuracy(average="micro", **c),
                "balanced_accuracy": BalancedAccuracy(**c),
                "precision": MulticlassPrecision(average="macro", **c),
                "recall": MulticlassRecall(average="macro", **c),
                "f1": MulticlassF1Score(average="macro", **c),
                "auroc": ClassAUROC(**c),
                "calibration_error": MulticlassCalibrationError(n_bins=15, **c),
            },
            compute_groups=True,
        )

    def resampled(self, prediction: Tensor, truth: Tensor) -> Callable[[np.ndarray], float]:
        label = truth.numpy()
        right = (prediction.argmax(1) == truth).numpy()
        classes = len(self.classes)

        def value(rows: np.ndarray) -> float:
            count = np.bincount(label[rows], minlength=classes)
            hits = np.bincount(label[rows], weights=right[rows], minlength=classes)
            seen = count > 0
            return float((hits[seen] / count[seen]).mean()) if seen.any() else float("nan")

        return value

    def scores(self, prediction: Tensor, truth: Tensor) -> dict[str, Tensor]:
        return class_scores(prediction, truth)

    worth_is = "probability of the true class"

    def worth(self, prediction: Tensor, truth: Tensor) -> Tensor:
        return prediction.gather(1, truth[:, None])[:, 0]

    correct_is = "accuracy"

    def correct(self, prediction: Tensor, truth: Tensor) -> Tensor:
        return (prediction.argmax(1) == truth).float()

    def explained(self, prediction: Tensor) -> tuple[Tensor, list[str]]:
        """The probability of the predicted class."""
        chosen = prediction.argmax(1)
        return chosen, [f"p({self.classes[i]})" for i in chosen.tolist()]

    def chance(self, truth: Tensor) -> Tensor:
        """The class shares of the training split, for every sample."""
        share = torch.tensor(self.fitted["counts"], dtype=torch.float32)
        return (share / share.sum()).expand(len(truth), -1)

    def columns(self, prediction: np.ndarray, truth: np.ndarray | None) -> pd.DataFrame:
        name = self.spec.name
        table: dict[str, Any] = {}
        if truth is not None:
            table[f"{name}.truth"] = [self.classes[i] if i >= 0 else None for i in truth]
        table[f"{name}.predicted"] = [self.classes[i] for i in prediction.argmax(1)]
        for i, label in enumerate(self.classes):
            table[f"{name}.p({label})"] = prediction[:, i]
        return pd.DataFrame(table)
