"""The metrics of a multi-class target for many models at once.

Torchmetrics takes one model after another, which costs small models that are stacked more than their validation does.
The same definitions; a test holds the two together.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

BINS = 15  # of the calibration error


def class_scores(p: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Each metric of n models, (n,): probabilities p (n, N, C), truth (n, N), −1 where a sample does not count."""
    classes = p.shape[-1]
    known = truth >= 0
    confidence, label = p.max(-1)
    counts = known.unsqueeze(-1).to(p.dtype)
    is_true, is_said = one_hot(truth.clamp(min=0), classes) * counts, one_hot(label, classes) * counts
    hit, of_true, of_said = (is_true * is_said).sum(1), is_true.sum(1), is_said.sum(1)  # (n, C)
    number = known.sum(1)
    occurs = of_true + of_said > 0  # a class that is neither true nor said says nothing
    return {
        "accuracy": hit.sum(1) / number,
        "balanced_accuracy": _mean(_ratio(hit, of_true), of_true > 0),
        "precision": _mean(_ratio(hit, of_said), occurs),
        "recall": _mean(_ratio(hit, of_true), occurs),
        "f1": _mean(_ratio(2 * hit, of_true + of_said), occurs),
        "auroc": _auroc(p, is_true.bool(), known),
        "calibration_error": _calibration(confidence, (label == truth).to(p.dtype), known),
    }


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b > 0, a / b.clamp(min=1), 0.0)


def _mean(score: Tensor, counts: Tensor) -> Tensor:
    """Mean over the classes that count; NaN where none does."""
    return (score * counts).sum(1) / counts.sum(1)


def _auroc(p: Tensor, is_true: Tensor, known: Tensor) -> Tensor:
    """(Σ ranks of the positives − P(P + 1)/2)/(P·N) of each class, ties at their mean rank (Hanley & McNeil 1982)."""
    score = p.movedim(-1, 1).masked_fill(~known.unsqueeze(1), torch.inf).contiguous()  # (n, C, N), unknown ones last
    order = score.sort(-1).values
    below, upto = torch.searchsorted(order, score), torch.searchsorted(order, score, right=True)
    rank = (below + upto + 1).double() / 2
    positive = is_true.movedim(-1, 1)
    many = positive.sum(-1).double()
    rest = known.sum(1, keepdim=True) - many
    area = ((rank * positive).sum(-1) - many * (many + 1) / 2) / (many * rest).clamp(min=1)
    return _mean(area, (many > 0) & (rest > 0)).to(p.dtype)


def _calibration(confidence: Tensor, right: Tensor, known: Tensor) -> Tensor:
    """Σ_bins |accuracy − confidence|·share, over equal bins (Guo et al. 2017, arXiv:1706.04599, eq. 3)."""
    edges = torch.linspace(0, 1, BINS + 1, dtype=confidence.dtype, device=confidence.device)
    bin_ = (torch.bucketize(confidence.contiguous(), edges, right=True) - 1).clamp(min=0)
    gap = torch.zeros(len(confidence), BINS + 1, dtype=confidence.dtype, device=confidence.device)
    gap = gap.scatter_add(1, bin_, (right - confidence) * known)
    return gap.abs().sum(1) / known.sum(1)
