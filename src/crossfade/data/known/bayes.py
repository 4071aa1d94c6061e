"""The best accuracy that there is, of a joint distribution p(t_1, …, t_M, y) and any of its modalities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .information import marginal


def accuracy(joint: np.ndarray, which: Sequence[int]) -> float:
    """Σ_t max_y p(t_which, y); without a modality max_y p(y)."""
    return float(marginal(joint, which).max(axis=1).sum())


def balanced_accuracy(joint: np.ndarray, which: Sequence[int]) -> float:
    """Σ_t max_y p(t_which | y) / C, the best mean recall of the C classes; without a modality 1 / C."""
    table = marginal(joint, which)
    return float((table / table.sum(0)).max(axis=1).sum() / table.shape[1])
