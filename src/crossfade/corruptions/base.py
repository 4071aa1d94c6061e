"""The contract of a corruption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from crossfade.data.scale import Scale

SEVERITIES = 5


class Corruption:
    """One thing that goes wrong with one kind of modality; `severities` are its amounts, from mild to severe.

    A subclass is built as `Name(severities)` from conf/corruption/<kind>/<name>.yaml and gives `apply`. It is given one
    sample at a time and draws from a generator of that sample's own: the result depends neither on the neighbours in a
    batch nor on the severity, of which only the amount differs (the points that are lost at one severity are lost at
    the next one too).

    `raw`: it acts on the raw value, before the transform (text, before it is cut into word pieces); otherwise on the
    tensor that the encoder takes, in which the amounts have a unit: standard deviations of the training split.
    """

    raw: ClassVar[bool] = False

    def __init__(self, severities: Sequence[float]) -> None:
        if len(severities) != SEVERITIES:
            raise ValueError(f"{type(self).__name__}: {len(severities)} severities, expected {SEVERITIES}")
        self.severities = tuple(map(float, severities))

    def __call__(self, x: Any, severity: int, rng: np.random.Generator, scale: Scale | None) -> Any:
        """The value x of one sample, corrupted; `severity` is 1 to 5, `scale` None for text."""
        return self.apply(x, self.severities[severity - 1], rng, scale)

    def apply(self, x: Any, amount: float, rng: np.random.Generator, scale: Any) -> Any:
        """A corrupted copy of x: str where `raw`, else a float array of one sample, NaN where an entry is missing."""
        raise NotImplementedError
