"""The contract of a target."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import MetricCollection

from crossfade.core.base import Representation
from crossfade.specs import ModalitySpec, TargetSpec

SHOWN = 5  # labels named in a message


def first_rows(labels: Iterable[tuple[int, str]], known: Container[str]) -> str:
    """'"x" (row 3), …' of the labels that are not known, each with the first row that holds it; '' for none."""
    rows: dict[str, int] = {}
    for i, label in labels:
        if label not in known:
            rows.setdefault(label, i + 1)
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return ", ".join(f"{label!r} (row {row})" for label, row in list(rows.items())[:SHOWN]) + more


def some(labels: Sequence[str]) -> str:
    """The first labels, and how many more there are."""
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return ", ".join(map(repr, labels[:SHOWN])) + more


def full(output: Tensor) -> Tensor:
    """At least float32: losses of half precision are computed in it, and float64 stays what it is."""
    return output if output.dtype == torch.float64 else output.float()


def class_entropy(logits: Tensor, label: Tensor, smoothing: float | Tensor) -> Tensor:
    """−Σ_c q_c·log p_c with q = (1 − ε)·[c = y] + ε/C of each sample: (N, C), (N,) → (N,); ε is `smoothing`.

    Label smoothing: Szegedy et al. 2016, arXiv:1512.00567, eq. 8. Of stacked runs that differ in it ε is a tensor.
    """
    if not isinstance(smoothing, Tensor):
        return cross_entropy(full(logits), label, reduction="none", label_smoothing=smoothing)
    log_p = full(logits).log_softmax(-1)
    return -(1 - smoothing) * log_p.gather(-1, label.unsqueeze(-1)).squeeze(-1) - smoothing * log_p.mean(-1)


def linear_head(width: int, outputs: int, layer_norm: bool = True) -> nn.Module:
    """W·LN(r) + b; without `layer_norm` W·r + b, which is linear in what fusion gave."""
    return nn.Sequential(nn.LayerNorm(width) if layer_norm else nn.Identity(), nn.Linear(width, outputs))


def combined_opinions(evidence: Tensor, weight: Tensor) -> Tensor:
    """Dempster's rule over the Dirichlet opinions of branches with w_g > 0: log(e + 1), whose softmax is the mean.

    evidence (B, G, …, C) ≥ 0, weight (B, G) → (B, …, C). An opinion has beliefs b = e/S and uncertainty u = C/S, with
    S = Σ_c e_c + C (Han et al. 2021, arXiv:2102.02051, section 3). The rule multiplies b_c + u and u, and
    (b_c + u)/u = 1 + e_c/C, so the combined evidence is e_c = C·(∏_g (1 + e_gc/C) − 1), in whatever order.
    """
    classes = evidence.shape[-1]
    counts = (weight > 0).view(*weight.shape, *[1] * (evidence.ndim - 2))
    surprise = torch.where(counts, (evidence / classes).log1p(), 0.0).sum(1)
    return surprise + (classes - (classes - 1) * (-surprise).exp()).log()  # log(C·(e^s − 1) + 1), without overflow


@dataclass(frozen=True)
class Scene:
    """What a target draws: its predictions and truth of a split, and the inputs of the first samples.

    `inputs` holds what the encoders take, (n, …) of the first n samples; rows of absent modalities hold anything, see
    `presence` (n, M).
    """

    prediction: Tensor
    truth: Tensor
    ids: Sequence[str]
    inputs: dict[str, Tensor]
    presence: Tensor
    specs: dict[str, ModalitySpec]


class Target(nn.Module):
    """One named thing to predict: head, loss, metrics, and how truth and prediction are written and drawn.

    A subclass is built as `Kind(spec, fitted, width, **yaml fields)`. `fitted` (plain data, kept in the run folder) is
    what the static `fit` learned from the training split. Truth, output and prediction are one tensor each, (B, …):
    what is ragged is padded with NaN or −1, and a sample whose truth is unknown holds nothing else.
    No control flow on values and no `.item()` in `forward` and `loss`: safe for vmap, export and compile.
    """

    main: ClassVar[str]  # the metric that a run is judged by
    lower_is_better: ClassVar[tuple[str, ...]] = ()  # of the metrics
    form: ClassVar[str]  # of the truth in a manifest's cells, one of `data.manifest_truth.FORMS`
    resamples: ClassVar[int] = 1000  # of the main metric's interval, where it is not a mean over the samples
    logits: ClassVar[bool] = False  # are all outputs logits of probabilities?
    units: ClassVar[Mapping[str, str]] = {}  # of the metrics whose names say none
    captions: ClassVar[Mapping[str, str]] = {}  # what its figures show, by what follows its name in the file's: `draw`
    jitter: ClassVar[float] = 0.0  # sd of the noise on the standardised inputs that `stability` looks at; 0: none

    def __init__(self, spec: TargetSpec, fitted: dict[str, Any]) -> None:
        super().__init__()
        self.spec, self.fitted = spec, fitted
        self.head: nn.Module

    @staticmethod
    def fit(spec: TargetSpec, truths: Sequence[Any]) -> dict[str, Any]:
        """What must be known before a head can be built, from the training split's raw truths (None = unknown)."""
        raise NotImplementedError

    @staticmethod
    def encode(spec: TargetSpec, fitted: dict[str, Any], truths: Sequence[Any]) -> Tensor:
        """Raw truths → tensor (N, …); unknown is −1 (whole numbers) or NaN. Raises UserError for an unknown label."""
        raise NotImplementedError

    @staticmethod
    def lacking(fitted: dict[str, Any], truth: Tensor) -> list[str]:
        """Classes that this encoded truth (N, …) of a split has no sample of: scores say nothing of them."""
        return []

    @classmethod
    def direction(cls, metric: str) -> str:
        """ "max" or "min": what is better."""
        return "min" if metric in cls.lower_is_better else "max"

    @classmethod
    def unit(cls, metric: str, spec: TargetSpec) -> str:
        """Of a metric's values; empty for numbers without one, and where the metric's name says it."""
        return cls.units.get(metric, "")

    def forward(self, representation: Representation) -> Tensor:
        """(B, D), or tokens (B, K, D), → raw outputs (B, …)."""
        return self.head(representation.pooled)

    def mix(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """One output (B, …) from the predictions of G branches (B, G, …), mixed with weight (B, G)."""
        raise NotImplementedError

    def pool(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """The output of p ∝ ∏_g p_g^w_g, with weights ≥ 0 that need not sum to 1.

        Of logits it is Σ_g w_g·o_g, for softmax and sigmoid alike; of anything else Σ_g w_g·o_g / Σ_g w_g, which is
        right for values (Gaussians of one variance), and for logits among them the root of their product.
        """
        share = weight if self.logits else weight / weight.sum(1, keepdim=True)
        return (outputs * share.view(*share.shape, *[1] * (outputs.ndim - 2))).sum(1)

    def believe(self, outputs: Tensor, weight: Tensor) -> Tensor:
        """The output of Dempster's rule over the branches with w_g > 0; here, without classes, the mean of them."""
        return self.mix(outputs, weight)

    def decide(self, outputs: Tensor, weight: Tensor, mixing: str) -> Tensor:
        """`mix`, `pool` or `believe`, as the fusion strategy's `mixing` says: "mean", "product" or "evidence"."""
        how = {"mean": self.mix, "product": self.pool, "evidence": self.believe}
        return how[mixing](outputs, weight)

    def loss(self, output: Tensor, truth: Tensor) -> Tensor:
        """Mean loss over the samples whose truth is known; 0 where none is."""
        raise NotImplementedError

    def prediction(self, output: Tensor) -> Tensor:
        """Raw outputs → what metrics and files hold: probabilities, or values in the target's unit."""
        raise NotImplementedError

    def known(self, truth: Tensor) -> Tensor:
        """Whose truth is known, bool (N,): not NaN, or not −1, throughout."""
        unknown = truth.isnan() if truth.is_floating_point() else truth < 0
        return ~unknown.flatten(1).all(1) if truth.ndim > 1 else ~unknown

    def measurable(self, truth: Tensor) -> Tensor:
        """The known truth as the metrics take it."""
        return truth

    def metrics(self) -> MetricCollection:
        """Metrics of `update(prediction, truth)`."""
        raise NotImplementedError

    def scores(self, prediction: Tensor, truth: Tensor) -> dict[str, Tensor] | None:
        """The metrics of n models at once, (n,) each, of (n, N, …) and truth (n, N, …); None: one by one."""
        return None

    def per_sample(self, prediction: Tensor, truth: Tensor) -> Tensor | None:
        """The main metric of each sample (N,), where it is their mean (NaN: does not count); None where it is not."""
        return None

    def worth(self, prediction: Tensor, truth: Tensor) -> Tensor | None:
        """What each prediction is worth, (N,), more is better: modalities have shares in it; see `worth_is`.

        By itself the main metric where it is a mean over the samples, negative where lower is better; else None.
        """
        each = self.per_sample(prediction, truth)
        return -each if each is not None and self.direction(self.main) == "min" else each

    @property
    def worth_is(self) -> str:
        """What `worth` is, in words."""
        return ("negative " if self.direction(self.main) == "min" else "") + self.main.replace("_", " ")

    def correct(self, prediction: Tensor, truth: Tensor) -> Tensor | None:
        """How right each prediction is, (N,), at best 1, or 0 where lower is better; see `correct_is`.

        By itself `worth`, which for kinds with probabilities is another thing than right or wrong.
        """
        return self.worth(prediction, truth)

    @property
    def correct_is(self) -> str:
        """What `correct` is, in words."""
        return self.worth_is

    def explained(self, prediction: Tensor) -> tuple[Tensor, list[str]] | None:
        """The entry of each prediction (N, C) that an explanation is of, (N,) int64, and its name; None: there is none.

        A kind whose predictions are not a few numbers (boxes, masks, paths) has no one number to be explained.
        """
        return None

    def resampled(self, prediction: Tensor, truth: Tensor) -> Callable[[np.ndarray], float]:
        """The main metric of rows drawn, with repeats, from these samples; an interval asks for `resamples` such draws.

        A target may compute once here what does not depend on the draw.
        """
        metric = self.metrics()[self.main]

        def value(rows: np.ndarray) -> float:
            metric.reset()
            metric.update(prediction[rows], truth[rows])
            return float(metric.compute())

        return value

    def stability(self, prediction: Tensor, jittered: Tensor) -> dict[str, float]:
        """Further metrics, from the predictions and those of the same samples with noise on their inputs."""
        return {}

    def chance(self, truth: Tensor) -> Tensor:
        """The best prediction that looks at no input, as predictions for these N samples."""
        raise NotImplementedError

    def references(self, truth: Tensor) -> dict[str, Tensor]:
        """Predictions of simple rules to compare with, by name; none as a rule."""
        return {}

    def columns(self, prediction: np.ndarray, truth: np.ndarray | None) -> pd.DataFrame:
        """Predictions (and the truth, where given) as the named columns of a predictions file."""
        raise NotImplementedError

    def arrays(self, prediction: np.ndarray) -> dict[str, np.ndarray]:
        """What no table holds, by name, (N, …): written beside it as .npz; nothing as a rule."""
        return {}

    def draw(self, folder: Path, scene: Scene) -> None:
        """Draw figures into the folder, their names beginning with the target's; none as a rule."""
