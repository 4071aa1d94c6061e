"""What absence may depend on: one standardised number a sample, of the truth or of a modality's values."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from torch import Tensor


def truth_score(truth: Tensor, rng: np.random.Generator, classes: int) -> np.ndarray:
    """(n,) of an encoded truth (n, …), NaN where unknown: the standardised mean of its numbers.

    Classes, `classes` in all splits together, have normal quantiles in an order that `rng` draws.
    """
    if truth.ndim == 1 and not truth.is_floating_point():
        quantile = ndtri((rng.permutation(classes) + 0.5) / classes)
        return np.where(truth.numpy() >= 0, quantile[truth.clamp(min=0).numpy()], np.nan)
    return standardised(truth.double().flatten(1).nanmean(1).numpy())


def value_score(values: Tensor, pad: int | None) -> np.ndarray:
    """(n,) of what an encoder takes, (n, …): its standardised mean; of a text, padded with `pad`, its length."""
    if pad is not None:
        return standardised((values != pad).sum(1).double().numpy())
    return standardised(values.double().flatten(1).nanmean(1).numpy())


def standardised(values: np.ndarray) -> np.ndarray:
    """(x − mean)/sd over what is known; zeros where nothing varies."""
    known = values[np.isfinite(values)]
    sd = known.std() if len(known) else 0.0
    return (values - known.mean()) / sd if sd > 0 else np.where(np.isfinite(values), 0.0, np.nan)
