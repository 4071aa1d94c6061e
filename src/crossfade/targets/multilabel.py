"""Any number of C labels at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MultilabelAccuracy,
    MultilabelExactMatch,
    MultilabelF1Score,
)

from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets.base import Target, combined_opinions, first_rows, full, linear_head, some
from crossfade.targets.scores import LabelAUROC


class MultiLabel(Target):
    """A raw truth is the list of the labels that hold. p_c = σ(w_c·LN(r) + b_c), binary cross-entropy averaged over the
    labels; a label is predicted where p_c ≥ ½.
    """

    main = "f1"
    form = "labels"
    logits = True
    positive_weight: Tensor

    def __init__(
        self,
        spec: TargetSpec,
        fitted: dict[str, Any],
        width: int,
        label_smoothing: float = 0.0,
        class_weights: str = "none",
    ) -> None:
        super().__init__(spec, fitted)
        self.classes: list[str] = fitted["classes"]
        self.label_smoothing: float | Tensor = label_smoothing
        self.head = linear_head(width, len(self.classes))
        positive = torch.ones(len(self.classes))
        if class_weights == "balanced":
            share = torch.tensor(fitted["shares"]).clamp(1e-3, 1 - 1e-3)
            positive = (1 - share) / share
        self.register_buffer("positive_weight", positive, persistent=False)

    @staticmethod
    def fit(spec: TargetSpec, truths: Sequence[Any]) -> dict[str, Any]:
        known = [set(map(str, t)) for t in truths if t is not None]
        classes = spec.classes or sorted(set().union(*known)) if known else []
        if not classes:
            raise UserError(f"target.{spec.name}: the training split holds no label at all. Check the target's column.")
        return {
            "classes": list(classes),
            "shares": [sum(c in t for t in known) / len(known) for c in classes],
        }

    @staticmethod
    def encode(spec: TargetSpec, fitted: dict[str, Any], truths: Sequence[Any]) -> Tensor:
        classes = fitted["classes"]
        unseen = first_rows(((i, str(x)) for i, t in enumerate(truths) if t is not None for x in t), classes)
        if unseen:
            raise UserError(
                f"target.{spec.name}: label(s) {unseen} unseen in training, where the {len(classes)} labels are "
                f"{some(classes)}. Mend the labels, split otherwise, or drop those samples."
            )
        rows = [
            [float("nan")] * len(classes) if t is None else [float(c in set(map(str, t))) for c in classes]
            for t in truths
        ]
        return torch.tensor(rows)

    @staticmethod
    def lacking(fitted: dict[str, Any], truth: Tensor) -> list[str]:
        return [c for i, c in enumerate(fitted["classes"]) if not (truth[:, i] == 1).any()]

    def mix(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """logit of Σ_g w_g·σ(o_g), in logs."""
        share = weight.clamp(min=torch.finfo(weight.dtype).tiny).log().unsqueeze(-1)
        return (logsigmoid(outputs) + share).logsumexp(1) - (logsigmoid(-outputs) + share).logsumexp(1)

    def believe(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """Each label is two classes: softplus(o) is the evidence for yes, softplus(−o) for no."""
        signed = full(torch.stack([outputs, -outputs], -1))
        yes, no = combined_opinions(softplus(signed), weight).unbind(-1)
        return yes - no

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        known = ~truth.isnan()
        wanted = truth.nan_to_num(0.0)
        smooth = self.label_smoothing
        wanted = wanted * (1 - smooth) + smooth / 2
        each = binary_cross_entropy_with_logits(full(output), wanted, pos_weight=self.positive_weight, reduction="none")
        return (each * known).sum() / known.sum().clamp(min=1)

    def prediction(self, output: Tensor) -> Tensor:
        return output.float().sigmoid()

    def measurable(self, truth: Tensor) -> Tensor:
        return truth.long()

    def metrics(self) -> MetricCollection:
        c: dict[str, Any] = {"num_labels": len(self.classes), "ignore_index": -1, "validate_args": False}
        return MetricCollection(
            {
                "f1": MultilabelF1Score(average="macro", **c),
                "accuracy": MultilabelAccuracy(average="macro", **c),
                "exact_match": MultilabelExactMatch(**c),
                "auroc": LabelAUROC(**c),
            }
        )

    worth_is = "mean probability of the true labels"

    def worth(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """Mean over the labels of p where the label holds, and of 1 − p where it does not."""
        return torch.where(truth > 0, prediction, 1 - prediction).mean(1)

    correct_is = "share of labels that are right"

    def correct(self, prediction: Tensor, truth: Tensor) -> Tensor:
        return ((prediction >= 0.5) == (truth > 0)).float().mean(1)

    def explained(self, prediction: Tensor) -> tuple[Tensor, list[str]]:
        """The probability of the likeliest label."""
        chosen = prediction.argmax(1)
        return chosen, [f"p({self.classes[i]})" for i in chosen.tolist()]

    def chance(self, truth: Tensor) -> Tensor:
        """The label shares of the training split, for every sample."""
        return torch.tensor(self.fitted["shares"], dtype=torch.float32).expand(len(truth), -1)

    def columns(self, prediction: np.ndarray, truth: np.ndarray | None) -> pd.DataFrame:
        name = self.spec.name
        table: dict[str, Any] = {}
        if truth is not None:
            table[f"{name}.truth"] = [None if np.isnan(row[0]) else self._written(row) for row in truth]
        table[f"{name}.predicted"] = [self._written(row) for row in prediction]
        for i, label in enumerate(self.classes):
            table[f"{name}.p({label})"] = prediction[:, i]
        return pd.DataFrame(table)

    def _written(self, row: np.ndarray) -> str:
        return "|".join(c for c, p in zip(self.classes, row, strict=True) if p >= 0.5)
