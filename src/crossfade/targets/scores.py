"""Scores averaged over the classes that the truth holds.

torchmetrics counts a class without a sample as 0; the score would then say more of the split than of the model.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAUROC, MulticlassRecall, MultilabelAUROC
from torchmetrics.utilities import dim_zero_cat


def mean_where(score: Tensor, defined: Tensor) -> Tensor:
    """Mean of the classes' scores (C,) where they are defined; NaN where none is."""
    return score[defined].mean()


class BalancedAccuracy(MulticlassRecall):
    """1/|S| · Σ_{c in S} recall_c, S the classes that occur in the truth; that of scikit-learn."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(average="none", **fields)

    def compute(self) -> Tensor:
        return mean_where(super().compute(), self.tp + self.fn > 0)  # type: ignore[operator]


class ClassAUROC(MulticlassAUROC):
    """Area under the ROC curve, one class against the rest, averaged over the classes that have both."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(average="none", **fields)

    def compute(self) -> Tensor:  # type: ignore[override]
        truth = dim_zero_cat(self.target)
        truth = truth[truth >= 0]
        count = torch.bincount(truth, minlength=self.num_classes)
        defined = (count > 0) & (count < len(truth))
        return (
            mean_where(super().compute(), defined)
            if defined.any()
            else truth.new_tensor(float("nan"), dtype=torch.float32)
        )


class R2(Metric):
    """1 − Σ(y − ŷ)²/Σ(y − ȳ)², averaged over the outputs whose truth varies; NaN where none does.

    torchmetrics sums squares in float32 and takes a variance below 1e-4 for none: values far from 0, or small in
    their unit, then score wrongly without a word.
    """

    prediction: list[Tensor]
    truth: list[Tensor]

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self.add_state("prediction", default=[], dist_reduce_fx="cat")
        self.add_state("truth", default=[], dist_reduce_fx="cat")

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        self.prediction.append(prediction)
        self.truth.append(truth)

    def compute(self) -> Tensor:
        truth, prediction = dim_zero_cat(self.truth).double(), dim_zero_cat(self.prediction).double()
        rest = (truth - prediction).square().sum(0)
        total = (truth - truth.mean(0)).square().sum(0)
        varies = (truth != truth[:1]).any(0)
        return mean_where(1 - rest / total, varies).float()


class LabelAUROC(MultilabelAUROC):
    """Area under the ROC curve of each label, averaged over the labels that both hold and fail somewhere."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(average="none", **fields)

    def compute(self) -> Tensor:  # type: ignore[override]
        truth = dim_zero_cat(self.target)
        count, known = (truth == 1).sum(0), (truth >= 0).sum(0)
        defined = (count > 0) & (count < known)
        return (
            mean_where(super().compute(), defined)
            if defined.any()
            else truth.new_tensor(float("nan"), dtype=torch.float32)
        )
