"""How well two sets of pixels agree: Dice, Hausdorff distance, and what a resection would touch.

Masks are bool (N, H, W) on square pixels of `spacing` mm; every function gives one number per sample, NaN where the
sample says nothing. Distances are between the centres of pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import binary_erosion, distance_transform_edt
from torch import Tensor


def dice(predicted: Tensor, truth: Tensor) -> Tensor:
    """2|P ∩ T| / (|P| + |T|), (N,); NaN where both are empty (Dice 1945, doi:10.2307/1932409)."""
    both = (predicted & truth).sum((1, 2))
    return 2 * both / (predicted.sum((1, 2)) + truth.sum((1, 2)))


def hausdorff95(predicted: Tensor, truth: Tensor, spacing: float) -> Tensor:
    """95 % Hausdorff distance in mm, (N,): max(P₉₅ d(∂P, ∂T), P₉₅ d(∂T, ∂P)), P₉₅ the 95th percentile.

    ∂X are the pixels of X with a neighbour (of four) outside of X or of the image; d is the distance to the nearest
    pixel of the other's outline (Huttenlocher et al. 1993, doi:10.1109/34.232073, eq. 1, 2 and 6). Where one is empty
    it is the image's diagonal, as bad as can be; where both are, NaN.
    """
    worst = spacing * float(np.hypot(*truth.shape[1:]))
    pairs = zip(predicted.cpu().numpy(), truth.cpu().numpy(), strict=True)
    return torch.tensor([_hausdorff95(p, t, worst, spacing) for p, t in pairs], dtype=torch.float32)


def _hausdorff95(predicted: np.ndarray, truth: np.ndarray, worst: float, spacing: float) -> float:
    if not predicted.any() or not truth.any():
        return worst if predicted.any() or truth.any() else float("nan")
    window = _window(predicted | truth)  # what lies around has no outline
    a, b = _outline(predicted[window]), _outline(truth[window])
    there = distance_transform_edt(~b, sampling=spacing)[a]
    back = distance_transform_edt(~a, sampling=spacing)[b]
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


def _window(mask: np.ndarray) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _outline(mask: np.ndarray) -> np.ndarray:
    return mask & ~binary_erosion(mask)


def touched(structure: Tensor, resected: Tensor, margin: float, spacing: float) -> Tensor:
    """Share of the structure's pixels no farther than `margin` mm from the resected ones, (N,).

    0 where nothing is resected; NaN where the structure is not in the image.
    """
    shares = []
    for s, r in zip(structure.cpu().numpy(), resected.cpu().numpy(), strict=True):
        if not s.any():
            shares.append(float("nan"))
        elif not r.any():
            shares.append(0.0)
        else:
            window = _window(s | r)
            distance = distance_transform_edt(~r[window], sampling=spacing)
            shares.append(float((distance[s[window]] <= margin).mean()))
    return torch.tensor(shares, dtype=torch.float32)


def missed(predicted: Tensor, truth: Tensor) -> Tensor:
    """1 where no pixel of the truth is predicted, 0 where one is, (N,); NaN where the truth is empty."""
    hit = (predicted & truth).any(2).any(1).float()
    return torch.where(truth.any(2).any(1), 1 - hit, float("nan"))


def false_alarm(predicted: Tensor, truth: Tensor) -> Tensor:
    """1 where something is predicted and the truth is empty, 0 where nothing is, (N,); NaN where it is not empty."""
    return torch.where(truth.any(2).any(1), float("nan"), predicted.any(2).any(1).float())
